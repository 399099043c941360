// SPDX-License-Identifier: Apache-2.0
// A secret that a host sends back is taken out, however it is written and wherever it is cut.
#include "app/relay/base64.h"
#include "app/relay/request_keys.h"
#include "app/relay/secret_scrubber.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;

namespace {

const std::string kSecret = "sk-live/9f8A7b+6C5d4e3F2=g";
const std::string kPlaceholder = "sk-none-0000000000000000";

std::string percent(const std::string& text, bool all, bool lower) {
    std::string out;
    for (const char c : text) {
        if (!all && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-')) {
            out += c;
            continue;
        }
        char code[8];
        std::snprintf(code, sizeof code, lower ? "%%%02x" : "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += code;
    }
    return out;
}
std::string base64(const std::string& text, Alphabet alphabet = Alphabet::Standard) {
    const auto out = toBase64(text, alphabet);
    return std::string(view(out));
}
std::string passed(const std::string& text, std::size_t piece, SecretScrubber& scrubber) {
    ByteQueue out;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        scrubber.pass(asBytes(std::string_view(text).substr(at, piece)), out);
    }
    scrubber.finish(out);
    return std::string(asText(out.front()));
}
SecretScrubber scrubber() {
    SecretScrubber out;
    out.add(kSecret, kPlaceholder);
    return out;
}

} // namespace

class TestSecretScrubber : public QObject {
    Q_OBJECT
private slots:
    void itIsFoundInEachForm_data() {
        QTest::addColumn<QString>("form");
        const auto add = [](const char* name, const std::string& form) {
            QTest::newRow(name) << QString::fromStdString(form);
        };
        add("plain", kSecret);
        add("percent", percent(kSecret, false, false));
        add("percent, lower case", percent(kSecret, false, true));
        add("percent, all of it", percent(kSecret, true, false));
        std::string json = kSecret;
        json.replace(json.find('/'), 1, "\\/");
        add("json", json);
        for (const char* before : {"", "a", "ab", "abc", "user:"}) {
            for (const auto alphabet : {Alphabet::Standard, Alphabet::Url}) {
                const auto whole = base64(before + kSecret + "tail", alphabet);
                add(qPrintable(QString("base64 after '%1' %2").arg(before).arg(int(alphabet))), whole);
            }
        }
        add("base64, percent", percent(base64(kSecret), false, false));
    }
    void itIsFoundInEachForm() {
        QFETCH(QString, form);
        const std::string text = "{\"echo\": \"" + form.toStdString() + "\"}";
        for (std::size_t piece = 1; piece <= text.size(); ++piece) {
            auto by = scrubber();
            const auto out = passed(text, piece, by);
            QCOMPARE(by.found(), std::size_t(1));
            QCOMPARE(out.size(), text.size());
            // At the edges of base64 a character may depend on its neighbours: the middle must be gone.
            const auto middle = form.toStdString().substr(form.size() / 4, static_cast<std::size_t>(form.size()) / 2);
            QVERIFY2(out.find(middle) == std::string::npos, out.c_str());
            QVERIFY(out.starts_with("{\"echo\": \"") && out.ends_with("\"}"));
        }
    }

    void thePlaceholderStandsInItsPlace() {
        SecretScrubber by;
        by.add("0123456789abcdefghijklmn", kPlaceholder);
        QCOMPARE(by.scrubbed("<0123456789abcdefghijklmn>"), "<" + kPlaceholder + ">");
        QCOMPARE(by.scrubbed(base64("0123456789abcdefghijklmn")), base64(kPlaceholder));
        QCOMPARE(by.scrubbed("%30123456789abcdefghijklmn"), "%73" + kPlaceholder.substr(1));
        QCOMPARE(by.scrubbed("0123456789abcdefghijklm"), std::string("0123456789abcdefghijklm"));
    }

    void whatOnlyBeginsLikeItIsHeldAndThenLetGo() {
        auto by = scrubber();
        ByteQueue out;
        by.pass(asBytes("data: one\n\n"), out);
        QCOMPARE(std::string(asText(out.front())), std::string("data: one\n\n")); // an event waits for nothing
        by.pass(asBytes("sk-live/9f"), out);
        QCOMPARE(by.held(), std::size_t(10));
        by.pass(asBytes("!"), out);
        QCOMPARE(by.held(), std::size_t(0));
        QCOMPARE(std::string(asText(out.front())), std::string("data: one\n\nsk-live/9f!"));
        by.pass(asBytes("sk-l"), out);
        by.finish(out);
        QVERIFY(asText(out.front()).ends_with("!sk-l"));
        QCOMPARE(by.found(), std::size_t(0));
    }

    void oneBehindTheOtherAndWithinItsOwnBeginning() {
        auto by = scrubber();
        const std::string text = kSecret + kSecret + "sk-live" + kSecret + "sk-";
        for (std::size_t piece = 1; piece < 40; ++piece) {
            auto each = scrubber();
            const auto out = passed(text, piece, each);
            QCOMPARE(each.found(), std::size_t(3));
            QCOMPARE(out.find(kSecret), std::string::npos);
            QCOMPARE(out.size(), text.size());
        }
    }

    void bytesOfAnyKindPassUnchanged() {
        std::string all;
        for (int i = 0; i < 100'000; ++i) {
            all += static_cast<char>((i * 7919 + i / 251) & 0xff);
        }
        for (const std::size_t piece : {1UL, 13UL, 4096UL, 100'000UL}) {
            auto by = scrubber();
            QVERIFY(passed(all, piece, by) == all);
        }
        SecretScrubber none;
        none.add("short", kPlaceholder);
        QVERIFY(none.isIdle());
        QVERIFY(passed(all, 4096, none) == all);
    }

    // What a header's value is made of is a secret, each part.
    void thePartsOfAHeader() {
        const auto has = [](const std::vector<SecretText>& in, std::string_view text) {
            return std::any_of(in.begin(), in.end(), [&](const SecretText& each) { return view(each) == text; });
        };
        const auto bearer = secretsIn("Bearer " + kSecret);
        QVERIFY(has(bearer, kSecret) && has(bearer, "Bearer " + kSecret));
        const auto basic = secretsIn("Basic " + base64("x-access-token:" + kSecret));
        QVERIFY(has(basic, kSecret) && has(basic, "x-access-token:" + kSecret) && !has(basic, "x-access-token"));
        QVERIFY(has(secretsIn("Basic " + base64(kSecret + ":x-oauth-basic")), kSecret));
        QVERIFY(has(secretsIn(kSecret), kSecret));
    }

    void base64IsThatOfTheStandard() {
        for (const auto& [plain, coded] : std::vector<std::pair<std::string, std::string>>{
                 {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}}) {
            QCOMPARE(base64(plain), coded);
            const auto back = fromBase64(coded);
            QVERIFY(back && view(*back) == plain);
        }
        QVERIFY(!fromBase64("Zm9v!") && !fromBase64("Z"));
        QVERIFY(base64("\xfb\xff", Alphabet::Url).starts_with("-_"));
    }
};

QTEST_GUILESS_MAIN(TestSecretScrubber)
#include "test_secret_scrubber.moc"
