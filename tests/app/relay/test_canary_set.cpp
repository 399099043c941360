// SPDX-License-Identifier: Apache-2.0
// A canary is found among bytes in each of its forms, wherever they are cut, and nothing of it is let go of before.
#include "app/relay/base64.h"
#include "app/relay/canary_set.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;

namespace {

const std::string kCanary = "ghx_9f8A7b/6C5d+4e3F2q=K";
const std::string kOther = "word-of-nobody.example";

std::shared_ptr<const CanarySet> setOf(const std::vector<Canary>& canaries) {
    return std::make_shared<CanarySet>(canaries);
}
std::shared_ptr<const CanarySet> both() {
    return setOf({{"token", kCanary}, {"word", kOther}});
}

std::string percent(const std::string& text, bool all, bool lower) {
    std::string out;
    for (const char c : text) {
        if (!all && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_')) {
            out += c;
            continue;
        }
        char code[8];
        std::snprintf(code, sizeof code, lower ? "%%%02x" : "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += code;
    }
    return out;
}
std::string hex(const std::string& text, bool upper) {
    std::string out;
    for (const char c : text) {
        char code[8];
        std::snprintf(code, sizeof code, upper ? "%02X" : "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += code;
    }
    return out;
}
std::string base64(const std::string& text, Alphabet alphabet = Alphabet::Standard) {
    return std::string(view(toBase64(text, alphabet)));
}
std::string inLines(const std::string& text, std::size_t columns, const std::string& lineBreak) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += columns) {
        out += text.substr(at, columns) + lineBreak;
    }
    return out;
}

struct Passed {
    std::optional<CanaryHit> hit;
    std::string out;
};
// In pieces of these sizes, the last one again and again.
Passed pass(const std::shared_ptr<const CanarySet>& set, const std::string& text, const std::vector<std::size_t>& pieces) {
    CanarySearch search(set);
    ByteQueue out;
    Passed result;
    std::size_t which = 0;
    for (std::size_t at = 0; at < text.size() && !result.hit;) {
        const auto size = std::max<std::size_t>(pieces[std::min(which++, pieces.size() - 1)], 1);
        result.hit = search.pass(asBytes(std::string_view(text).substr(at, size)), &out);
        at += size;
    }
    if (!result.hit) {
        result.hit = search.finish(&out);
    }
    result.out = asText(out.front());
    return result;
}

} // namespace

class TestCanarySet : public QObject {
    Q_OBJECT
private slots:
    void itIsFoundInEachFormAtEachCut_data() {
        QTest::addColumn<QString>("written");
        QTest::addColumn<QString>("form");
        const auto add = [](const QString& name, const std::string& written, const char* form) {
            QTest::newRow(qPrintable(name)) << QString::fromStdString(written) << form;
        };
        add("plain", kCanary, "plain");
        std::string json = kCanary;
        json.replace(json.find('/'), 1, "\\/");
        add("json", json, "plain");
        add("percent", percent(kCanary, false, false), "percent");
        add("percent, lower case", percent(kCanary, false, true), "percent");
        add("percent, all of it", percent(kCanary, true, false), "percent");
        add("percent, one of it", "%67" + kCanary.substr(1), "percent");
        add("hex", hex(kCanary, false), "hex");
        add("hex, upper case", hex(kCanary, true), "hex");
        add("hex, in lines", inLines(hex(kCanary, false), 7, "\n"), "hex");
        add("hex, percent", percent(hex(kCanary, true), true, true), "hex");
        for (const char* before : {"", "a", "ab", "abc", "user:"}) {
            for (const auto alphabet : {Alphabet::Standard, Alphabet::Url}) {
                const auto whole = base64(before + kCanary + "tail", alphabet);
                const auto name = QString("base64 after '%1' %2").arg(before).arg(int(alphabet));
                add(name, whole, "base64");
                add(name + ", percent", percent(whole, false, false), "base64");
                int way = 0;
                for (const char* lineBreak : {"\n", "\r\n", "\\n", "\\r\\n", "%0A", "%0d%0a"}) {
                    add(name + QString(", in lines, %1").arg(way++), inLines(whole, 9, lineBreak), "base64");
                }
            }
        }
    }
    void itIsFoundInEachFormAtEachCut() {
        QFETCH(QString, written);
        QFETCH(QString, form);
        const std::string core = written.toStdString();
        const std::string text = "{\"sent\": \"" + core + "\"}";
        const auto set = both();
        const auto whole = set->in(text);
        QVERIFY(whole && whole->name == "token" && toString(whole->form) == form.toStdString());
        std::vector<std::vector<std::size_t>> cuts;
        for (std::size_t cut = 1; cut <= text.size(); ++cut) {
            cuts.push_back({cut, text.size()}); // in two
            cuts.push_back({cut});              // in many
        }
        for (const auto& cut : cuts) {
            const auto passed = pass(set, text, cut);
            QVERIFY(passed.hit && passed.hit->name == "token");
            QCOMPARE(toString(passed.hit->form), std::string_view(form.toStdString()));
            // Of base64, as many characters as stand for what comes before.
            QVERIFY2(form == "base64" ? passed.out.size() <= 10 + 7 : passed.out.size() == 10, passed.out.c_str());
            QVERIFY(text.starts_with(passed.out));
        }
    }

    // Nothing of it goes on but what does not yet tell it from anything else.
    void nothingOfItIsLetGoOf() {
        for (std::size_t piece = 1; piece < 40; ++piece) {
            QCOMPARE(pass(both(), "before " + kCanary + " behind", {piece}).out, std::string("before "));
            QCOMPARE(pass(both(), "before " + hex(kCanary, false) + " behind", {piece}).out, std::string("before "));
            QCOMPARE(pass(both(), "before " + base64(kCanary) + " behind", {piece}).out, std::string("before "));
            QCOMPARE(pass(both(), "before " + percent(kCanary, true, true) + " behind", {piece}).out, std::string("before "));
        }
    }

    void whatIsNoneGoesOnUnchanged_data() {
        QTest::addColumn<QByteArray>("text");
        const auto add = [](const char* name, const std::string& text) { QTest::newRow(name) << QByteArray::fromStdString(text); };
        std::string other = kCanary;
        other[11] = 'B';
        add("its last byte is missing", "<" + kCanary.substr(0, kCanary.size() - 1) + ">");
        add("its first byte is missing", "<" + kCanary.substr(1) + ">");
        add("one byte is another", other);
        add("its beginning, again and again", kCanary.substr(0, 20) + kCanary.substr(0, 20) + "ghx_ghx_9f");
        add("it ends with its beginning", "the end: " + kCanary.substr(0, 9));
        add("another case", QString::fromStdString(kCanary).toLower().toStdString());
        add("blanks within", kCanary.substr(0, 8) + " " + kCanary.substr(8));
        add("a line break within it as it is", kCanary.substr(0, 8) + "\n" + kCanary.substr(8));
        add("percent, one of it wrong", "%68" + kCanary.substr(1));
        add("percent, cut off", percent(kCanary, true, false).substr(0, 3 * kCanary.size() - 1));
        add("hex, cut off", hex(kCanary, false).substr(0, 2 * kCanary.size() - 1));
        add("hex, with colons", inLines(hex(kCanary, false), 2, ":"));
        add("hex, an empty line within", inLines(hex(kCanary, false), 12, "\n\n"));
        add("base64 of a part of it", base64(kCanary.substr(0, 20)));
        add("base64, one of it another", base64(other));
        const auto coded = base64(kCanary);
        add("base64, backwards", {coded.rbegin(), coded.rend()});
        std::string all;
        for (int i = 0; i < 70'000; ++i) {
            all += static_cast<char>((i * 7919 + i / 251) & 0xff);
        }
        add("bytes of any kind", all);
    }
    void whatIsNoneGoesOnUnchanged() {
        QFETCH(QByteArray, text);
        const auto plain = text.toStdString();
        for (std::size_t piece : {std::size_t(1), std::size_t(2), std::size_t(3), std::size_t(7), std::size_t(13), std::size_t(4096), plain.size()}) {
            const auto passed = pass(both(), plain, {piece});
            QVERIFY(!passed.hit);
            QVERIFY(passed.out == plain);
        }
        QVERIFY(!both()->in(plain));
    }

    void whatOnlyBeginsLikeItIsHeldAndThenLetGo() {
        CanarySearch search(both());
        ByteQueue out;
        QVERIFY(!search.pass(asBytes("data: one\n\n"), &out));
        QCOMPARE(std::string(asText(out.front())), std::string("data: one\n\n")); // nothing waits that need not
        QVERIFY(!search.pass(asBytes("ghx_9f8A7"), &out));
        QCOMPARE(search.held(), std::size_t(9));
        QVERIFY(!search.pass(asBytes("!"), &out));
        QCOMPARE(search.held(), std::size_t(0));
        QCOMPARE(std::string(asText(out.front())), std::string("data: one\n\nghx_9f8A7!"));
        // As long as the longest way to write it, and no longer.
        CanarySearch bounded(both());
        const std::string longest = inLines(percent(hex(kCanary, false), true, false), 3, "%0D%0A");
        for (const char c : longest.substr(0, longest.size() - 12)) {
            QVERIFY(!bounded.pass(asBytes(std::string_view(&c, 1)), nullptr));
            QVERIFY(bounded.held() <= 2 * kCanary.size() * 9);
        }
        QVERIFY(bounded.held() > kCanary.size());
    }

    void oneWithinAnotherAndOneBehindAnother() {
        const std::string inner = "abcdefghijkl", outer = "xyz" + inner + "mnop", longer = inner + "-and-more";
        for (std::size_t piece = 1; piece < 40; ++piece) {
            // The outer one has not come to its end: what it holds is found all the same, and at once.
            CanarySearch search(setOf({{"outer", outer}, {"inner", inner}}));
            std::optional<CanaryHit> hit;
            const std::string text = "<xyz" + inner;
            for (std::size_t at = 0; at < text.size() && !hit; at += piece) {
                hit = search.pass(asBytes(std::string_view(text).substr(at, piece)), nullptr);
            }
            QVERIFY(hit && hit->name == "inner");
            // Of two that begin alike, the one that is there.
            QCOMPARE(pass(setOf({{"longer", longer}, {"inner", inner}}), "<" + inner + "-and-less", {piece}).hit->name, std::string("inner"));
            // Where it begins within its own beginning.
            const auto own = pass(both(), "ghx_9f8A" + kCanary, {piece});
            QVERIFY(own.hit && own.out == "ghx_9f8A");
            QCOMPARE(pass(both(), kOther + kCanary, {piece}).hit->name, std::string("word"));
        }
        QCOMPARE(setOf({{"longer", longer}, {"inner", inner}})->in(longer)->name, std::string("longer"));
    }

    void whatIsTooShortOrTooLongIsNotLookedFor() {
        const auto set = setOf({{"short", "elevenbytes"}, {"long", std::string(kMaxCanary + 1, 'x')}});
        QVERIFY(set->isEmpty() && !set->in("elevenbytes"));
        QVERIFY(!setOf({{"short", "twelve-bytes"}})->isEmpty());
        QVERIFY(setOf({{"long", std::string(kMaxCanary - 1, 'x') + "y"}})->in("x" + std::string(kMaxCanary - 1, 'x') + "y"));
    }

    // What the search costs, counted and not timed: with as many canaries as there may be, a few comparisons for each byte of what is
    // full of beginnings, and close to none for anything else.
    void manyCanariesCostLittle() {
        std::vector<Canary> many;
        for (int i = 0; i < 64; ++i) {
            many.push_back({"c" + std::to_string(i), base64("canary number " + std::to_string(i * 7919) + " of the owner's").substr(0, 40)});
        }
        const auto set = setOf(many);
        std::string noise;
        std::uint32_t random = 1;
        for (int i = 0; i < 200'000; ++i) {
            random = random * 1664525U + 1013904223U;
            noise += static_cast<char>(random >> 24U);
        }
        const auto cost = [&](const std::string& text, std::size_t piece) {
            CanarySearch search(set);
            for (std::size_t at = 0; at < text.size(); at += piece) {
                if (search.pass(asBytes(std::string_view(text).substr(at, piece)), nullptr)) {
                    qFatal("found");
                }
            }
            return double(search.tried()) / double(text.size());
        };
        QVERIFY2(cost(noise, 16'384) < 0.1, qPrintable(QString::number(cost(noise, 16'384))));
        QVERIFY2(cost(base64(noise), 16'384) < 0.5, qPrintable(QString::number(cost(base64(noise), 16'384))));
        QVERIFY2(cost(percent(noise, true, false), 16'384) < 5, qPrintable(QString::number(cost(percent(noise, true, false), 16'384))));
        std::string beginnings;
        while (beginnings.size() < 200'000) {
            beginnings += many[beginnings.size() % many.size()].text.substr(0, 39);
        }
        QVERIFY2(cost(beginnings, 16'384) < 5, qPrintable(QString::number(cost(beginnings, 16'384))));
    }
};

QTEST_GUILESS_MAIN(TestCanarySet)
#include "test_canary_set.moc"
