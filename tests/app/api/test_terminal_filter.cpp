// SPDX-License-Identifier: Apache-2.0
// Invariant I11: a guest's output on a terminal goes through an allow-list.
#include "app/api/terminal_filter.h"

#include <QTest>

using carrel::api::TerminalFilter;

namespace {
std::string filtered(const std::string& in) {
    TerminalFilter filter;
    return filter.feed(in);
}
} // namespace

class TestTerminalFilter : public QObject {
    Q_OBJECT
private slots:
    void passes_data() {
        QTest::addColumn<QByteArray>("text");
        for (const char* text : {"plain\r\n",
                                 "tab\tbell\a\b",
                                 "Ü報😀",
                                 "\x1b[31;1mred\x1b[0m",
                                 "\x1b[38;2;1;2;3m",
                                 "\x1b[38:2::1:2:3m",
                                 "\x1b[2J",
                                 "\x1b[K",
                                 "\x1b[10;20H",
                                 "\x1b[5A",
                                 "\x1b[1;24r",
                                 "\x1b[?1049h",
                                 "\x1b[?25l",
                                 "\x1b[?2004h",
                                 "\x1b[4h",
                                 "\x1b[s",
                                 "\x1b[u",
                                 "\x1b"
                                 "7\x1b"
                                 "8",
                                 "\x1b=",
                                 "\x1b(0qqq\x1b(B",
                                 "\x1b[2 q",
                                 "\x1b[!p",
                                 "\x1bM",
                                 "\x1b[3X",
                                 "\x1b[?7l",
                                 "\x1b[?1;25h"}) {
            QTest::newRow(QByteArray(text).toPercentEncoding()) << QByteArray(text);
        }
    }
    void passes() {
        QFETCH(QByteArray, text);
        QCOMPARE(QByteArray::fromStdString(filtered(text.toStdString())), text);
    }

    void drops_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("rest");
        const auto row = [](const char* name, const QByteArray& text, const QByteArray& rest) {
            QTest::newRow(name) << text << rest;
        };
        row("title",
            "a\x1b]0;evil\x07"
            "b",
            "ab");
        row("title st", "a\x1b]2;evil\x1b\\b", "ab");
        row("clipboard",
            "a\x1b]52;c;ZXZpbA==\x07"
            "b",
            "ab");
        row("hyperlink", "\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text");
        row("palette request", "\x1b]4;1;?\x07", "");
        row("dcs", "a\x1bP$q\"p\x1b\\b", "ab");
        row("dcs is not ended by a bell in a terminal, but stays dropped", "\x1bPabc\x1b\\d", "d");
        row("apc", "a\x1b_G...\x1b\\b", "ab");
        row("pm", "a\x1b^x\x1b\\b", "ab");
        row("sos", "a\x1bXx\x1b\\b", "ab");
        row("device attributes", "\x1b[c\x1b[>c\x1b[=c\x1b[0c", "");
        row("device status", "\x1b[5n\x1b[6n\x1b[?6n", "");
        row("window", "\x1b[18t\x1b[21t\x1b[8;10;10t", "");
        row("decrqm", "\x1b[?25$p", "");
        row("answerback", "\x05", "");
        row("c1 csi in utf-8",
            "\xc2\x9b"
            "5n",
            "5n");
        row("c1 osc in utf-8",
            "\xc2\x9d"
            "0;x\x07",
            "0;x\x07");
        row("c1 raw",
            "\x9b"
            "5n",
            "\xef\xbf\xbd"
            "5n");
        row("mouse", "\x1b[?1000h\x1b[?1006h\x1b[?1003h", "");
        row("focus", "\x1b[?1004h", "");
        row("mixed modes", "\x1b[?1000;25h", "\x1b[?25h");
        row("keyboard lock", "\x1b[2h", "");
        row("insert mode in another spelling", "\x1b[04h\x1b[;4l\x1b[4;4h", "");
        row("full reset",
            "\x1b"
            "c",
            "");
        row("scroll-back erase", "\x1b[3J", "");
        row("mouse by T", "\x1b[1;2;3;4;5T", "");
        row("keyboard protocol", "\x1b[>1u\x1b[=1u\x1b[?u\x1b[>4;2m", "");
        row("shift out", "\x0e\x0f", "");
        row("nul and del",
            QByteArray("a\0b\x7f"
                       "c",
                       5),
            "abc");
        row("huge number", "\x1b[99999999999999999999A", "");
        row("long", "\x1b[" + QByteArray(100, '1') + "mX", "X");
        row("bidi override",
            "a\xe2\x80\xae"
            "b",
            "ab");
        row("cut character",
            "\xe2\x82"
            "a",
            "\xef\xbf\xbd"
            "a");
        row("overlong escape", "\xc0\x9b[5n", "\xef\xbf\xbd\xef\xbf\xbd[5n");
        row("escape inside csi", "\x1b[3\x1b[31mX", "\x1b[31mX");
        row("newline inside csi", "\x1b[3\n1m", "\n1m");
        row("cancelled",
            "\x1b[3\x18"
            "1m",
            "1m");
        row("charset g1", "\x1b)0x", "x");
        row("other charset", "\x1b(Ax", "x");
        row("escape in string", "\x1b]0;a\x1b[31m;b\x07z", "z");
    }
    void drops() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, rest);
        QCOMPARE(QByteArray::fromStdString(filtered(text.toStdString())), rest);
        // However the bytes are cut, the result is the same.
        TerminalFilter byteWise;
        std::string out;
        for (const char c : text.toStdString()) {
            out += byteWise.feed({&c, 1});
        }
        QCOMPARE(QByteArray::fromStdString(out), rest);
        // And nothing more is taken from what was let through.
        QCOMPARE(filtered(out), out);
    }

    void restores() {
        TerminalFilter filter;
        QCOMPARE(filter.restore(), std::string());
        (void)filter.feed("\x1b[?1049h\x1b[?25l\x1b[31m\x1b[?2004h");
        const auto restore = filter.restore();
        for (const char* part : {"\x1b[?1049l", "\x1b[?25h", "\x1b[0m", "\x1b[?2004l"}) {
            QVERIFY(restore.find(part) != std::string::npos);
        }
        QVERIFY(restore.find("\x1b[r") == std::string::npos);
    }

    void anEndlessStringDoesNotSilenceForGood() {
        TerminalFilter filter;
        (void)filter.feed("\x1b]0;");
        const std::string chunk(1024 * 1024, 'x');
        for (int i = 0; i < 5; ++i) {
            (void)filter.feed(chunk);
        }
        QCOMPARE(filter.feed("hello"), std::string("hello"));
    }
};

QTEST_GUILESS_MAIN(TestTerminalFilter)
#include "test_terminal_filter.moc"
