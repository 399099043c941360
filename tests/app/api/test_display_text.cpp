// SPDX-License-Identifier: Apache-2.0
// Invariant I11: text from a guest reaches a person's eyes only through DisplayText.
#include "app/api/display_text.h"
#include "guest/protocol/share_path.h"

#include <QTest>

using carrel::api::DisplayText;

class TestDisplayText : public QObject {
    Q_OBJECT
private slots:
    void lines_data() {
        QTest::addColumn<QByteArray>("raw");
        QTest::addColumn<QByteArray>("shown");
        const auto row = [](const char* name, const QByteArray& raw, const QByteArray& shown) {
            QTest::newRow(name) << raw << shown;
        };
        row("plain", "Report 2026.md", "Report 2026.md");
        row("umlauts and cjk", "Übersicht 報告", "Übersicht 報告");
        row("newline", "a\nb", "a\\nb");
        row("carriage return", "safe\revil", "safe\\revil");
        row("tab", "a\tb", "a\\tb");
        row("escape", "\x1b[31mred", "\\x1b[31mred");
        row("nul", QByteArray("a\0b", 3), "a\\x00b");
        row("del", "a\x7f", "a\\x7f");
        row("c1 csi",
            "\xc2\x9b"
            "31m",
            "\\u{9b}31m");
        row("rlo",
            "exe\xe2\x80\xae"
            "fdp.txt",
            "exe\\u{202e}fdp.txt");
        row("isolate", "\xe2\x81\xa6x", "\\u{2066}x");
        row("lrm", "a\xe2\x80\x8e", "a\\u{200e}");
        row("zero width space", "pay\xe2\x80\x8bpal", "pay\\u{200b}pal");
        row("zwj", "a\xe2\x80\x8d", "a\\u{200d}");
        row("bom",
            "\xef\xbb\xbf"
            "a",
            "\\u{feff}a");
        row("soft hyphen",
            "a\xc2\xad"
            "b",
            "a\\u{ad}b");
        row("variation selector", "a\xef\xb8\x8f", "a\\u{fe0f}");
        row("hangul filler", "a\xe3\x85\xa4", "a\\u{3164}");
        row("no-break space",
            "a\xc2\xa0"
            "b",
            "a\\u{a0}b");
        row("line separator",
            "a\xe2\x80\xa8"
            "b",
            "a\\u{2028}b");
        row("tag characters", "\xf3\xa0\x81\x81", "\\u{e0041}");
        row("private use", "\xee\x80\x80", "\\u{e000}");
        row("unassigned", "\xcd\xb8", "\\u{378}");
        row("noncharacter", "\xef\xbf\xbf", "\\u{ffff}");
        row("invalid byte",
            "a\xff"
            "b",
            "a\\xffb");
        row("overlong slash", "\xc0\xaf", "\\xc0\\xaf");
        row("surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80");
        row("cut short", "a\xe2\x82", "a\\xe2\\x82");
        row("beyond unicode", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
        row("leading mark", "\xcc\x81x", "\\u{301}x");
        row("mark in place", "e\xcc\x81", "e\xcc\x81");
        row("heaped marks", QByteArray("e") + QByteArray("\xcc\x81").repeated(5),
            QByteArray("e") + QByteArray("\xcc\x81").repeated(4) + "\\u{301}");
        row("markup stays text", "<b>&amp;</b>", "<b>&amp;</b>");
        row("backslash stays", "C:\\n", "C:\\n");
    }
    void lines() {
        QFETCH(QByteArray, raw);
        QFETCH(QByteArray, shown);
        const auto text = DisplayText::line(raw.toStdString());
        QCOMPARE(QByteArray::fromStdString(text.text()), shown);
        QCOMPARE(text.escaped(), raw != shown);
        QVERIFY(carrel::isUtf8(text.text()));
        // What is fit for eyes stays as it is.
        QCOMPARE(DisplayText::line(text.text()).text(), text.text());
    }
    void boundsAndColumns() {
        QCOMPARE(DisplayText::line("abcdef", 6).text(), std::string("abcdef"));
        const auto cut = DisplayText::line("abcdefg", 6);
        QCOMPARE(cut.text(), std::string("abcde…"));
        QVERIFY(cut.shortened());
        QCOMPARE(cut.columns(), std::size_t(6));
        QCOMPARE(DisplayText::line("報告書", 100).columns(), std::size_t(6));
        QVERIFY(DisplayText::line("報告書", 5).columns() <= 5);
        QCOMPARE(DisplayText::line(std::string(1000000, '\x01'), 20).columns() <= 20, true);
        QCOMPARE(DisplayText::line("x", 0).text(), std::string());
        // A mark after the cut does not slip through.
        QCOMPARE(DisplayText::line("ab\xcc\x81"
                                   "c",
                                   2)
                     .text(),
                 std::string("a…"));
    }
    void blocks() {
        QCOMPARE(DisplayText::block("a\n\tb\r\n\x1b]0;t\x07").text(),
                 std::string("a\n\tb\\r\n\\x1b]0;t\\x07"));
        const auto cut = DisplayText::block("line one\nline two\n", 9);
        QVERIFY(cut.shortened());
        QCOMPARE(cut.text(), std::string("line one\n… (shortened)\n"));
        QCOMPARE(DisplayText::block("a\n\xcc\x81").text(), std::string("a\n\\u{301}"));
    }
};

QTEST_GUILESS_MAIN(TestDisplayText)
#include "test_display_text.moc"
