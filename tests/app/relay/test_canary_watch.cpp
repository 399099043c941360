// SPDX-License-Identifier: Apache-2.0
// A canary in a request: in its head, in its body as it is or compressed, in a WebSocket's frames. What unfolds to too much is refused.
#include "tests/app/relay/packing.h"

#include "app/relay/canary_watch.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const std::string kCanary = "ghx_9f8A7b6C5d4e3F2q0K";
const std::shared_ptr<const CanarySet> kSet = std::make_shared<CanarySet>(std::vector<Canary>{{"token", kCanary}});

RequestHead headOf(const std::string& target, const std::string& fields = {}) {
    return readRequest("POST " + target + " HTTP/1.1\r\nHost: example.org\r\n" + fields + "\r\n", {Scheme::Https, "example.org", 443}).value();
}
std::string noise(std::size_t size) {
    std::string out;
    std::uint32_t random = 7;
    while (out.size() < size) {
        random = random * 1664525U + 1013904223U;
        out += static_cast<char>('a' + (random >> 24U) % 26);
    }
    return out;
}
const std::string kText = noise(300) + "\n  key: " + kCanary + "\n" + noise(40);

struct Result {
    CanaryWatch::Verdict verdict;
    std::string out;
    bool isFound(CanaryForm form) const {
        return verdict.found && verdict.found->name == "token" && verdict.found->where == CanaryPlace::Body && verdict.found->form == form;
    }
    bool isFine() const { return verdict.isFine(); }
    bool isRefused(const char* part) const { return verdict.refused && verdict.refused->find(part) != std::string::npos; }
};
template <class Call> Result feed(CanaryWatch& watch, const std::string& body, const std::vector<std::size_t>& pieces, Call call) {
    Result out;
    ByteQueue clean;
    std::size_t which = 0;
    for (std::size_t at = 0; at < body.size() && out.isFine();) {
        const auto size = pieces[std::min(which++, pieces.size() - 1)];
        out.verdict = (watch.*call)(asBytes(std::string_view(body).substr(at, size)), clean);
        at += size;
    }
    if (out.isFine()) {
        out.verdict = watch.finish(clean);
    }
    out.out = asText(clean.front());
    return out;
}
Result send(const std::string& body, const std::vector<std::size_t>& pieces, const std::string& fields = {}) {
    CanaryWatch watch(kSet, headOf("/", fields));
    return feed(watch, body, pieces, &CanaryWatch::body);
}
Result speak(const std::string& frames, const std::vector<std::size_t>& pieces) {
    CanaryWatch watch(kSet, headOf("/"));
    return feed(watch, frames, pieces, &CanaryWatch::raw);
}
std::string multipart(const std::string& data) {
    return "--b0und\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--b0und\r\nContent-Disposition: form-data; name=\"f\"; "
           "filename=\"x.gz\"\r\nContent-Type: application/gzip\r\n\r\n" +
           data + "\r\n--b0und--\r\n";
}
// RFC 6455, section 5.2.
std::string frame(const std::string& payload, char first, const std::string& mask = "\x37\xfa\x21\x3d", int lengthBytes = 0) {
    std::string out{first};
    const auto flag = mask.empty() ? 0U : 0x80U;
    if (lengthBytes == 0) {
        out += static_cast<char>(flag | payload.size());
    } else {
        out += static_cast<char>(flag | (lengthBytes == 2 ? 126U : 127U));
        for (int i = lengthBytes - 1; i >= 0; --i) {
            out += static_cast<char>(i < 8 ? payload.size() >> (8 * i) & 255U : 0U);
        }
    }
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out += mask.empty() ? payload[i] : static_cast<char>(payload[i] ^ mask[i % 4]);
    }
    return out;
}

} // namespace

class TestCanaryWatch : public QObject {
    Q_OBJECT
private slots:
    void inAHead() {
        const auto where = [](const RequestHead& head) {
            const auto found = canaryIn(*kSet, head);
            return found ? found->name + " " + std::string(toString(found->where)) + " " + std::string(toString(found->form)) : std::string();
        };
        QCOMPARE(where(headOf("/a?b=c", "X-A: b\r\n")), std::string());
        QCOMPARE(where(headOf("/x/" + kCanary + "/y")), std::string("token target plain"));
        QCOMPARE(where(headOf("/x?q=%67hx%5f9f8A7b6C5d4e3F2q0K&r")), std::string("token target percent"));
        QCOMPARE(where(headOf("/%67%68%78_9f8A7b6C5d4e3F2q0K")), std::string("token target plain")); // as it would go on
        QCOMPARE(where(headOf("/", "X-A: b\r\nCookie: a=" + kCanary + "\r\n")), std::string("token field plain"));
        QCOMPARE(where(headOf("/", "X-" + kCanary + ": 1\r\n")), std::string("token field plain"));
        QCOMPARE(where(headOf("/", "Authorization: Basic eDpnaHhfOWY4QTdiNkM1ZDRlM0YycTBL\r\n")), std::string("token field base64"));
        QCOMPARE(where(headOf("/" + kCanary.substr(0, 12), "X-A: " + kCanary.substr(12) + "\r\n")), std::string());
    }

    void compressedAtEachCut_data() {
        QTest::addColumn<QByteArray>("body");
        QTest::addColumn<QString>("coding");
        const auto add = [](const char* name, const std::string& body, const char* coding = "") {
            QTest::newRow(name) << QByteArray::fromStdString(body) << coding;
        };
        add("gzip", packed(kText));
        add("gzip, stored", packed(kText, kGzipBits, 0));
        add("gzip, as it is said to be", packed(kText), "Content-Encoding: gzip\r\n");
        add("gzip, under its other name", packed(kText), "Content-Encoding: identity, X-GZIP\r\n");
        add("the second of two gzips", packed(noise(90)) + packed(kText));
        add("the second of two, as they are said to be", packed(noise(90)) + packed(kText), "Content-Encoding: gzip\r\n");
        add("deflate", packed(kText, kZlibBits), "Content-Encoding: deflate\r\n");
        add("deflate without its frame", packed(kText, kRawBits), "Content-Encoding: deflate\r\n");
        add("in a part of a multipart body", multipart(packed(kText)));
        add("in the member of an archive", zipMember("word/document.xml", packed(kText, kRawBits)));
        add("in the second member", zipMember("a", packed(noise(70), kRawBits)) + zipMember("b", packed(kText, kRawBits)));
        add("behind a member that is not compressed", zipMember("a", noise(70), 0, 0) + zipMember("b", packed(kText, kRawBits)));
        add("behind a member that is none", zipMember("a", "\xff\xff\xff\xff", 8) + zipMember("", packed(kText, kRawBits)));
        add("an archive in a part of a multipart body", multipart(zipMember("a", packed(kText, kRawBits))));
    }
    void compressedAtEachCut() {
        QFETCH(QByteArray, body);
        QFETCH(QString, coding);
        const auto text = body.toStdString();
        QVERIFY2(text.find(kCanary) == std::string::npos || text.find("gzip") == std::string::npos, "it would be found as it is");
        for (std::size_t cut = 1; cut <= text.size(); ++cut) {
            for (const auto& pieces : std::vector<std::vector<std::size_t>>{{cut, text.size()}, {cut}}) {
                const auto sent = send(text, pieces, coding.toStdString());
                // What is stored within stands there as it is, and is found as that, too.
                QVERIFY(sent.isFound(CanaryForm::Gzip) || (text.find(kCanary) != std::string::npos && sent.isFound(CanaryForm::Plain)));
                QVERIFY(sent.out.size() < text.size() && text.starts_with(sent.out));
            }
        }
    }
    // Byte by byte the last one of it does not go on.
    void theLastByteDoesNotGoOn() {
        const auto text = packed("x" + kCanary);
        const auto sent = send(text, {1});
        QVERIFY(sent.isFound(CanaryForm::Gzip));
        Inflater inflater;
        inflater.begin(Inflater::Format::Gzip);
        const auto got = inflater.next(asBytes(sent.out));
        QVERIFY(asText(got.out).size() < 1 + kCanary.size());
    }

    void otherFormsWithinWhatIsCompressed() {
        QVERIFY(send(packed("key=%67hx%5f9f8A7b6C5d4e3F2q0K"), {5}).isFound(CanaryForm::Gzip));
        QVERIFY(send(packed("eDpnaHhfOWY4QTdiNkM1ZDRlM0YycTBL"), {5}).isFound(CanaryForm::Gzip));
    }

    void whatIsHarmlessGoesOn_data() {
        QTest::addColumn<QByteArray>("body");
        QTest::addColumn<QString>("coding");
        const auto add = [](const char* name, const std::string& body, const char* coding = "") {
            QTest::newRow(name) << QByteArray::fromStdString(body) << coding;
        };
        const std::string text = noise(5000);
        add("plain", text);
        add("gzip", packed(text), "Content-Encoding: gzip\r\n");
        add("gzip that is not said", packed(text));
        add("gzip with something behind it", packed(text) + "\0\0\0padding", "Content-Encoding: gzip\r\n");
        add("half of it", packed(text).substr(0, 1000), "Content-Encoding: gzip\r\n");
        add("deflate", packed(text, kZlibBits), "Content-Encoding: deflate\r\n");
        add("an archive", zipMember("a", packed(text, kRawBits)) + zipMember("b", text, 0, 0) + "PK\1\2 and so on");
        add("what only begins like gzip", "\x1f\x8b\x08" + text);
        add("what only begins like an archive", zipMember("a", text) + "PK\3\4");
        add("an encrypted member", zipMember("a", text, 8, 9));
        add("another coding", text, "Content-Encoding: br\r\n");
        add("two codings", packed(packed(text)), "Content-Encoding: gzip, gzip\r\n");
        add("a multipart body", multipart(packed(text)));
        add("none", "");
    }
    void whatIsHarmlessGoesOn() {
        QFETCH(QByteArray, body);
        QFETCH(QString, coding);
        const auto text = body.toStdString();
        for (const std::size_t piece : {std::size_t(1), std::size_t(3), std::size_t(1000), std::max<std::size_t>(text.size(), 1)}) {
            const auto sent = send(text, {piece}, coding.toStdString());
            QVERIFY2(sent.isFine(), sent.verdict.refused.value_or("found").c_str());
            QVERIFY(sent.out == text);
        }
    }

    void whatUnfoldsToTooMuchIsRefused() {
        const std::string zeros(8U << 20U, '\0');
        const auto bomb = packed(zeros); // about a thousand times as much
        QVERIFY(bomb.size() * kMostRatio < zeros.size());
        for (const auto& [body, coding] : std::vector<std::pair<std::string, std::string>>{{bomb, ""},
                                                                                           {bomb, "Content-Encoding: gzip\r\n"},
                                                                                           {packed(zeros, kRawBits), "Content-Encoding: deflate\r\n"},
                                                                                           {multipart(bomb), ""},
                                                                                           {zipMember("a", packed(zeros, kRawBits)), ""}}) {
            for (const std::size_t piece : {std::size_t(700), body.size()}) {
                const auto sent = send(body, {piece}, coding);
                QVERIFY(sent.isRefused("unfolds to more"));
                QVERIFY(sent.out.size() < body.size());
            }
        }
        // A little of it is none: files hold long runs of one byte.
        QVERIFY(send(packed(std::string(kUnfoldedFreely, '\0')), {512}).isFine());
        // And in all, whatever it is made from: members count together.
        const std::string member = packed(noise(4U << 20U), kRawBits, 1);
        CanaryWatch watch(kSet, headOf("/"));
        ByteQueue clean;
        std::size_t members = 0;
        for (CanaryWatch::Verdict verdict; verdict.isFine() && members < 40; ++members) {
            verdict = watch.body(asBytes(zipMember("a", member)), clean);
            clean.clear();
            QVERIFY(verdict.isFine() || verdict.refused->find("unfolds to more") != std::string::npos);
        }
        QCOMPARE(members, std::size_t(17)); // 16 of them are 64 MiB
    }

    void whatIsNotWhatItSaysIsRefused() {
        auto text = packed(noise(3000));
        text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 0x55);
        QVERIFY(send(text, {100}, "Content-Encoding: gzip\r\n").isRefused("not compressed as it says"));
        QVERIFY(send("plain text, and long enough", {100}, "Content-Encoding: gzip\r\n").isRefused("not compressed as it says"));
        QVERIFY(send("\xff\xff\xff\xff", {1}, "Content-Encoding: deflate\r\n").isRefused("not compressed as it says"));
    }

    void inAWebSocketsFrames() {
        constexpr char kFinalText = '\x81', kText1 = '\x01', kFinalMore = '\x80';
        const std::vector<std::string> ways{
            frame(kText.substr(0, 20), kFinalText) + frame("key " + kCanary + ".", kFinalText),
            frame(kText, kFinalText, "\x37\xfa\x21\x3d", 2),
            frame(kText, kFinalText, std::string("\0\x01\xff\x7f", 4), 8),
            frame(kCanary.substr(0, 7), kText1) + frame(kCanary.substr(7), kFinalMore, "abcd"),
            frame("key " + kCanary, kFinalText, ""), // as no client may
            "no frames at all: " + kCanary,
        };
        for (const auto& said : ways) {
            for (std::size_t cut = 1; cut <= said.size(); ++cut) {
                for (const auto& pieces : std::vector<std::vector<std::size_t>>{{cut, said.size()}, {cut}}) {
                    const auto spoken = speak(said, pieces);
                    QVERIFY(spoken.isFound(CanaryForm::Plain));
                    QVERIFY(spoken.out.size() < said.size() && said.starts_with(spoken.out));
                }
            }
        }
        const std::string harmless = frame(noise(70'000), kFinalText, "wxyz", 8) + frame("", '\x89') + frame(kCanary.substr(1), kFinalText) + "\x88\x80";
        for (const std::size_t piece : {1U, 5U, 4096U, 100'000U}) {
            const auto spoken = speak(harmless, {piece});
            QVERIFY(spoken.isFine() && spoken.out == harmless);
        }
    }
};

QTEST_GUILESS_MAIN(TestCanaryWatch)
#include "test_canary_watch.moc"
