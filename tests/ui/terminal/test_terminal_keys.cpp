// SPDX-License-Identifier: Apache-2.0
// What keys send, as xterm sends it, and what is done with a text before it is pasted.
#include "ui/terminal/paste_guard.h"
#include "ui/terminal/terminal_keys.h"

#include <QTest>

using namespace carrel::ui;

class TestTerminalKeys : public QObject {
    Q_OBJECT
private slots:
    void keys_data() {
        QTest::addColumn<int>("key");
        QTest::addColumn<int>("modifiers");
        QTest::addColumn<QString>("text");
        QTest::addColumn<bool>("application");
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, int key, Qt::KeyboardModifiers modifiers, const char* text, const QByteArray& bytes,
                            bool application = false) {
            QTest::newRow(name) << key << static_cast<int>(modifiers.toInt()) << QString::fromUtf8(text) << application << bytes;
        };
        const auto none = Qt::NoModifier;
        const auto shift = Qt::ShiftModifier;
        const auto ctrl = Qt::ControlModifier;
        const auto alt = Qt::AltModifier;
        row("a", Qt::Key_A, none, "a", "a");
        row("A", Qt::Key_A, shift, "A", "A");
        row("ü", Qt::Key_Udiaeresis, none, "ü", "ü");
        row("Alt+a", Qt::Key_A, alt, "a", "\x1b" "a");
        row("Ctrl+C", Qt::Key_C, ctrl, "\x03", "\x03");
        row("Ctrl+Z without a text", Qt::Key_Z, ctrl, "", "\x1a");
        row("Ctrl+Shift+W", Qt::Key_W, ctrl | shift, "\x17", "\x17");
        row("Ctrl+Alt+A", Qt::Key_A, ctrl | alt, "", "\x1b\x01");
        row("AltGr as Ctrl and Alt", Qt::Key_At, ctrl | alt, "@", "@");
        row("Ctrl+Space", Qt::Key_Space, ctrl, " ", QByteArray(1, '\0'));
        row("Ctrl+[", Qt::Key_BracketLeft, ctrl, "", "\x1b");
        row("Ctrl+\\", Qt::Key_Backslash, ctrl, "", "\x1c");
        row("Ctrl+/", Qt::Key_Slash, ctrl, "", "\x1f");
        row("Ctrl+;", Qt::Key_Semicolon, ctrl, "", "");
        row("Return", Qt::Key_Return, none, "\r", "\r");
        row("Enter of the keypad", Qt::Key_Enter, Qt::KeypadModifier, "\r", "\r");
        row("Alt+Return", Qt::Key_Return, alt, "\r", "\x1b\r");
        row("Escape", Qt::Key_Escape, none, "\x1b", "\x1b");
        row("Tab", Qt::Key_Tab, none, "\t", "\t");
        row("Shift+Tab", Qt::Key_Backtab, shift, "", "\x1b[Z");
        row("Backspace", Qt::Key_Backspace, none, "\b", "\x7f");
        row("Ctrl+Backspace", Qt::Key_Backspace, ctrl, "\b", "\b");
        row("Alt+Backspace", Qt::Key_Backspace, alt, "\b", "\x1b\x7f");
        row("Up", Qt::Key_Up, none, "", "\x1b[A");
        row("Up, application", Qt::Key_Up, none, "", "\x1bOA", true);
        row("Shift+Up, application", Qt::Key_Up, shift, "", "\x1b[1;2A", true);
        row("Ctrl+Right", Qt::Key_Right, ctrl, "", "\x1b[1;5C");
        row("Alt+Left", Qt::Key_Left, alt, "", "\x1b[1;3D");
        row("all three", Qt::Key_Down, shift | ctrl | alt, "", "\x1b[1;8B");
        row("Home", Qt::Key_Home, none, "", "\x1b[H");
        row("End, application", Qt::Key_End, none, "", "\x1bOF", true);
        row("Insert", Qt::Key_Insert, none, "", "\x1b[2~");
        row("Delete", Qt::Key_Delete, none, "\x7f", "\x1b[3~");
        row("Ctrl+Delete", Qt::Key_Delete, ctrl, "\x7f", "\x1b[3;5~");
        row("PageUp", Qt::Key_PageUp, none, "", "\x1b[5~");
        row("F1", Qt::Key_F1, none, "", "\x1bOP");
        row("F4, application", Qt::Key_F4, none, "", "\x1bOS", true);
        row("Shift+F1", Qt::Key_F1, shift, "", "\x1b[1;2P");
        row("F5", Qt::Key_F5, none, "", "\x1b[15~");
        row("F12", Qt::Key_F12, none, "", "\x1b[24~");
        row("Ctrl+F10", Qt::Key_F10, ctrl, "", "\x1b[21;5~");
        row("Shift alone", Qt::Key_Shift, shift, "", "");
        row("keypad 5", Qt::Key_5, Qt::KeypadModifier, "5", "5");
    }
    void keys() {
        QFETCH(int, key);
        QFETCH(int, modifiers);
        QFETCH(QString, text);
        QFETCH(bool, application);
        QFETCH(QByteArray, bytes);
        QCOMPARE(bytesOfKey(key, Qt::KeyboardModifiers::fromInt(modifiers), text, application ? CursorKeys::Application : CursorKeys::Normal),
                 bytes);
    }

    void pastes_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<bool>("asks");
        QTest::addColumn<QString>("shown");
        const auto row = [](const char* name, const char* text, const QByteArray& bytes, bool asks, const char* shown) {
            QTest::newRow(name) << QString::fromUtf8(text) << bytes << asks << QString::fromUtf8(shown);
        };
        row("a word", "ls -l", "ls -l", false, "ls -l");
        row("umlauts and emoji", "Grüße 😀", "Grüße 😀", false, "Grüße 😀");
        row("a tab", "a\tb", "a\tb", false, "a\tb");
        row("two lines", "a\nb", "a\rb", true, "a\nb");
        row("a line end at its end", "rm -r x\n", "rm -r x\r", true, "rm -r x\n");
        row("as Windows has it", "a\r\nb\rc", "a\rb\rc", true, "a\nb\nc");
        row("an escape", "a\x1b[31mb", "a[31mb", true, "a[31mb");
        row("the end of a bracketed paste", "a\x1b[201~b", "a[201~b", true, "a[201~b");
        row("C1", "a\u009b31mb", "a31mb", true, "a31mb");
        row("delete", "a\x7f" "b", "ab", true, "ab");
        row("an override", "a\u202eb", "a\u202eb", true, "a\\u{202e}b");
        row("no width", "a\u200bb", "a\u200bb", true, "a\\u{200b}b");
        row("a hard space", "a\u00a0b", "a\u00a0b", true, "a\\u{a0}b");
        row("nothing", "", "", false, "");
    }
    void pastes() {
        QFETCH(QString, text);
        QFETCH(QByteArray, bytes);
        QFETCH(bool, asks);
        QFETCH(QString, shown);
        const auto review = reviewPaste(text);
        QCOMPARE(bytesOfPaste(review, PasteMarks::None), bytes);
        QCOMPARE(bytesOfPaste(review, PasteMarks::Bracketed), bytes.isEmpty() ? bytes : "\x1b[200~" + bytes + "\x1b[201~");
        QCOMPARE(review.mustAsk(), asks);
        QCOMPARE(shownPaste(review), shown);
    }

    void whatIsTooLong() {
        const auto review = reviewPaste(QString(kMaxPaste + 1, 'x'));
        QVERIFY(review.tooLong && review.clean.isEmpty());
        QVERIFY(!reviewPaste(QString(kMaxPaste, 'x')).tooLong);
    }
};

QTEST_GUILESS_MAIN(TestTerminalKeys)
#include "test_terminal_keys.moc"
