// SPDX-License-Identifier: Apache-2.0
// Whatever bytes come: what a model is shown of them is text, and bounded.
#include "guest/agent/tools/shown_text.h"
#include "guest/protocol/share_path.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;

namespace {

const std::string kR = "\xef\xbf\xbd";

} // namespace

class TestShownText : public QObject {
    Q_OBJECT
private slots:
    void mendsAsTheStandardHasIt_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const std::string& bytes, const std::string& text) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes) << QByteArray::fromStdString(text);
        };
        row("plain", "a\n\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "a\n\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
        row("latin", "stra\xdf""e", "stra" + kR + "e");
        row("lone end", "\x80z", kR + "z");
        row("too long a form", "\xc0\xaf", kR + kR);
        row("too long a form of three", "\xe0\x80\x80", kR + kR + kR);
        row("surrogate", "\xed\xa0\x80", kR + kR + kR);
        row("too large", "\xf4\x90\x80\x80", kR + kR + kR + kR);
        row("cut short within", "\xf0\x9f\x98" "a", kR + "a");
        row("cut short at the end", "a\xe2\x82", "a" + kR);
        row("nul", std::string("a\0b", 3), "a" + kR + "b");
    }
    void mendsAsTheStandardHasIt() {
        QFETCH(QByteArray, bytes);
        QFETCH(QByteArray, text);
        QCOMPARE(mended(bytes.toStdString()), text.toStdString());
        Utf8Mender slowly; // wherever it is cut, the same comes out
        std::string out;
        for (const char byte : bytes.toStdString()) {
            out += slowly.feed(std::string(1, byte));
        }
        QCOMPARE(out + slowly.finish(), text.toStdString());
    }

    void keepsAllThatFits() {
        KeptEnds kept(10);
        kept.feed("1234");
        kept.feed("567890");
        QCOMPARE(kept.text(), std::string("1234567890"));
    }

    void namesWhatIsLeftOut() {
        KeptEnds kept(8);
        for (int i = 0; i < 1000; ++i) {
            kept.feed("abcde");
        }
        QCOMPARE(kept.text(), std::string("abcd\n[\xe2\x80\xa6 4992 bytes left out \xe2\x80\xa6]\nbcde"));
    }

    void cutsBetweenCharacters() {
        std::string text;
        for (int i = 0; i < 100; ++i) {
            text += "\xe2\x82\xac";
        }
        for (std::size_t most = 0; most < 40; ++most) {
            KeptEnds kept(most);
            kept.feed(text);
            QVERIFY(isUtf8(kept.text()));
            QVERIFY(kept.text().size() <= most + 64);
        }
    }

    void aNameIsOneLine() {
        QCOMPARE(shownName("a\nb\\c\x1b\xff\xc3\xa4\xc2\x85\xe2\x80\xa8"),
                 std::string("a\\nb\\\\c\\x1b\\xff\xc3\xa4\\xc2\\x85\\xe2\\x80\\xa8"));
    }

    void aLongLineIsCut() {
        QCOMPARE(shownLine("abc", 3, 3), std::string("abc"));
        QCOMPARE(shownLine("ab\xc3\xa4", 1000, 3), std::string("ab [\xe2\x80\xa6 998 bytes of this line left out]"));
    }
};

QTEST_GUILESS_MAIN(TestShownText)
#include "test_shown_text.moc"
