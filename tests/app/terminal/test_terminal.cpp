// SPDX-License-Identifier: Apache-2.0
// The program carrel-terminal as it is shipped, between a pretended guest and a pretended window.
#include "guest/protocol/rpc.h"
#include "tests/app/terminal/terminal_rig.h"

#include <QFile>
#include <QIODevice>
#include <QProcess>
#include <QStringList>
#include <QTest>

#include <csignal>
#include <sys/wait.h>

using namespace carrel;
using namespace carrel::api::terminal;
using carrel::test::TerminalRig;

namespace {
const std::string kProgram = CARREL_BIN_DIR "/carrel-terminal";

// In kilobytes; 0 where it cannot be read.
long peakMemory(pid_t pid) {
    QFile file(QString("/proc/%1/status").arg(pid));
    if (file.open(QIODevice::ReadOnly)) {
        for (const auto& line : file.readAll().split('\n')) {
            if (line.startsWith("VmHWM:")) {
                return line.mid(6).trimmed().split(' ').first().toLong();
            }
        }
    }
    return 0;
}
} // namespace

class TestTerminal : public QObject {
    Q_OBJECT
private slots:
    void showsText() {
        TerminalRig rig(kProgram);
        rig.out("hello\r\nworld");
        QVERIFY(rig.pump([&] { return rig.row(1) == "world"; }));
        QCOMPARE(rig.row(0), std::string("hello"));
        QVERIFY(std::holds_alternative<Confined>(rig.messages.front())); // before anything else
        QCOMPARE(rig.screen.rows, std::uint16_t{24});
        QCOMPARE(rig.screen.columns, std::uint16_t{80});
        QCOMPARE(rig.screen.cursorRow, std::uint16_t{1});
        QCOMPARE(rig.screen.cursorColumn, std::uint16_t{5});
    }

    void coloursAndStyles_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("attributes");
        QTest::addColumn<int>("kind"); // of the foreground
        QTest::addColumn<int>("colour");
        const auto row = [](const char* name, const char* text, int attributes, Colour::Kind kind, int colour) {
            QTest::newRow(name) << QByteArray(text) << attributes << static_cast<int>(kind) << colour;
        };
        using Kind = Colour::Kind;
        row("plain", "\x1b[mX", 0, Kind::Default, 0);
        row("bold", "\x1b[1mX", kBold, Kind::Default, 0);
        row("italic and underlined", "\x1b[3;4mX", kItalic | kUnderline, Kind::Default, 0);
        row("reverse", "\x1b[7mX", kReverse, Kind::Default, 0);
        row("struck out", "\x1b[9mX", kStrike, Kind::Default, 0);
        row("one of eight", "\x1b[31mX", 0, Kind::Indexed, 1 << 16);
        row("bright", "\x1b[97mX", 0, Kind::Indexed, 15 << 16);
        row("one of 256", "\x1b[38;5;200mX", 0, Kind::Indexed, 200 << 16);
        row("any", "\x1b[38;2;1;2;3mX", 0, Kind::Rgb, 0x010203);
        row("any, with colons", "\x1b[38:2:1:2:3mX", 0, Kind::Rgb, 0x010203);
        row("any, with a colour space", "\x1b[38:2::1:2:3mX", 0, Kind::Rgb, 0x010203);
        row("two grounds and a text", "\x1b[48;5;1;38;5;7;49mX", 0, Kind::Indexed, 7 << 16);
        row("none after a colour", "\x1b[31;mX", 0, Kind::Default, 0);
        row("wavy", "\x1b[4:3mX", kUnderline, Kind::Default, 0);
        row("not underlined", "\x1b[4m\x1b[4:0mX", 0, Kind::Default, 0);
        row("a colour cut short", "\x1b[1;38;5mX", kBold, Kind::Default, 0);
        row("more than there is room for", "\x1b[1;;;;8::::;;;;8:;;;4mX", kUnderline, Kind::Default, 0);
        row("a list of thirty", "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;31mX", kBold, Kind::Indexed, 1 << 16);
        row("a colon at the end", "\x1b[31;38:2:1:2:mX", 0, Kind::Rgb, 0x010200);
        row("back to plain", "\x1b[1;31m\x1b[0mX", 0, Kind::Default, 0);
    }
    void coloursAndStyles() {
        QFETCH(QByteArray, text);
        QFETCH(int, attributes);
        QFETCH(int, kind);
        QFETCH(int, colour);
        TerminalRig rig(kProgram);
        rig.out(text.toStdString());
        QVERIFY(rig.pump([&] { return rig.row(0) == "X"; }));
        const auto& style = rig.rows[0][0].style;
        QCOMPARE(int{style.attributes}, attributes);
        QCOMPARE(static_cast<int>(style.foreground.kind), kind);
        QCOMPARE(style.foreground.red << 16 | style.foreground.green << 8 | style.foreground.blue, colour);
        QVERIFY(style.background == Colour{});
    }

    // What is in a cell is a visible character with marks, whatever was written.
    void characters_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("shown");
        const auto row = [](const char* name, const char* text, const char* shown) {
            QTest::newRow(name) << QByteArray(text) << QByteArray(shown);
        };
        row("umlauts", "Grüße", "Grüße");
        row("wide", "漢字", "漢字");
        row("emoji", "a😀b", "a😀b");
        row("a mark", "e\u0301", "e\u0301");
        row("more marks than four", "e\u0301\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301\u0301");
        row("a mark with nothing before it", "\u0301x", "x");
        row("joined emoji", "👩\u200d💻", "👩💻");
        row("a variation selector", "♥\ufe0fx", "♥x");
        row("a hard space", "a\u00a0b", "a b");
        row("private use", "a\ue0b0b", "a\ufffdb");
        row("an override", "a\u202eb", "ab");
        row("bad UTF-8", "a\xff\xc3(b", "a\ufffd\ufffd(b");
        row("line drawing", "\x1b(0lqk\x1b(Bz", "┌─┐z");
        row("repeated", "=\x1b[4b|", "=====|");
        row("nothing to repeat", "\x1b[4b|", "|");
    }
    void characters() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, shown);
        TerminalRig rig(kProgram);
        rig.out(text.toStdString() + "\r\nend");
        QVERIFY(rig.pump([&] { return rig.row(1) == "end"; }));
        QCOMPARE(QByteArray::fromStdString(rig.row(0)), shown);
        QVERIFY(!rig.malformed);
    }

    // Nothing that asks is answered, nothing reaches out, and the terminal goes on.
    void hostileSequences_data() {
        QTest::addColumn<QByteArray>("text");
        for (const char* text :
             {"\x1b]52;c;AAAA\x07", "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b[c", "\x1b[>c", "\x1b[=c", "\x1b[5n", "\x1b[6n",
              "\x1b[?6n", "\x1bZ", "\x05", "\x1b[18t", "\x1b[21t", "\x1b[?1$p", "\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\",
              "\x1b]4;1;?\x07", "\x1b]10;?\x07", "\x1b[?1000h\x1b[?1003h\x1b[?1006h", "\x1b[?1004h", "\x1b[x", "\x9b" "6n",
              "\x1b[3J", "\x1b]8;;http://example.org\x1b\\", "\x1b_payload\x1b\\", "\x1b^x\x1b\\", "\x1bXx\x1b\\", "\x1b%@\x1b[6n",
              "\x1b[1;1;1;1;1;1T", "\x1b#8\x1b#3", "\x1b" "c"}) {
            QTest::newRow(QByteArray(text).toPercentEncoding()) << QByteArray(text);
        }
    }
    void hostileSequences() {
        QFETCH(QByteArray, text);
        TerminalRig rig(kProgram);
        rig.out(text.toStdString() + "\r\nend");
        QVERIFY(rig.pump([&] { return rig.shows("end"); }));
        rig.type("x"); // what was answered would have come before it
        QVERIFY(rig.pump([&] { return rig.typed.ends_with("x"); }));
        QCOMPARE(rig.typed, std::string("x"));
        QVERIFY(!rig.malformed && !rig.ended);
    }

    void typesAndModes() {
        TerminalRig rig(kProgram);
        const std::string keys("ls\r\x03\x1b[A\x00Ü", 10);
        rig.type(keys);
        QVERIFY(rig.pump([&] { return rig.typed == keys; }));
        rig.out("\x1b[?1h\x1b[?2004h\x1b[?1049h\x1b[?25l\x1b[6 q");
        QVERIFY(rig.pump([&] { return rig.screen.cursorShape == CursorShape::Bar; }));
        QVERIFY(rig.screen.cursorKeys && rig.screen.bracketedPaste && rig.screen.alternate && !rig.screen.cursorVisible);
        rig.out("\x1b[?1;2004l\x1b[?1049l\x1b[?25h\x1b[0 q\a");
        QVERIFY(rig.pump([&] { return rig.bell; }));
        QVERIFY(!rig.screen.cursorKeys && !rig.screen.bracketedPaste && !rig.screen.alternate && rig.screen.cursorVisible);
    }

    void resizes() {
        TerminalRig rig(kProgram, TerminalRig::Window::TakesFramesIn, 10, 40);
        rig.out(std::string(40, 'a') + "\r\nbelow");
        QVERIFY(rig.pump([&] { return rig.row(1) == "below"; }));
        QVERIFY(rig.pump([&] { return !rig.heard.empty(); }));
        QCOMPARE(rig.heard.back(), std::string(R"({"resize":{"rows":10,"cols":40}})"));
        for (const auto& [rows, columns] : {std::pair{30, 100}, {kMaxRows, kMaxColumns}, {kMinRows, kMinColumns}, {10, 40}}) {
            rig.resize(static_cast<std::uint16_t>(rows), static_cast<std::uint16_t>(columns));
            QVERIFY(rig.pump([&, r = rows, c = columns] { return rig.screen.rows == r && rig.screen.columns == c; }));
            rig.out("\x1b[2J\x1b[9999;9999H*\x1b[H漢漢漢漢漢");
            QVERIFY(rig.pump([&] { return rig.row(0).starts_with("漢漢漢漢"); }));
        }
        QVERIFY(rig.pump([&] { return rig.heard.size() == 5; }));
        QVERIFY(!rig.malformed);
    }

    // libvterm keeps what is left of the region where lines scroll; it must not reach out of a smaller screen.
    void aScrollRegionBelowASmallerScreen() {
        TerminalRig rig(kProgram);
        rig.out("\x1b[20;24r\x1b[21;1Hbelow");
        QVERIFY(rig.pump([&] { return rig.row(20) == "below"; }));
        rig.resize(5, 20);
        QVERIFY(rig.pump([&] { return rig.screen.rows == 5; }));
        rig.out("\x1b[9;1H\x1bM\x1b[3L\x1b[2M\x1b[S\x1b[T\n\n\n\x1b[Hend");
        QVERIFY(rig.pump([&] { return rig.row(0) == "end"; }));
    }

    // Nor a cursor that was saved on a larger one, or counted from its end.
    void aCursorOutsideASmallerScreen() {
        TerminalRig rig(kProgram);
        for (const char* text : {"\x1b[21;70H\x1b" "7", "\x1b[21;70H\x1b[s", "\x1b[?1049h\x1b[21;70H\x1b[?1049l\x1b[21H3\x1b[r"}) {
            rig.resize(24, 80);
            QVERIFY(rig.pump([&] { return rig.screen.rows == 24; }));
            rig.out(std::string(text) + "\x1b[1;1Hnow ");
            QVERIFY(rig.pump([&] { return rig.row(0).starts_with("now"); }));
            rig.resize(5, 10);
            QVERIFY(rig.pump([&] { return rig.screen.rows == 5; }));
            rig.out("\x1b[X\x1b" "8\x1b[X\x1b[2@\x1b[u\x1b[3P\x1b[?1049h\x1b[?1049l\x1b[X\x1b[2J\x1b[Hend");
            QVERIFY(rig.pump([&] { return rig.row(0) == "end"; }));
        }
    }

    void whatLeavesTheScreenIsKept() {
        TerminalRig rig(kProgram);
        for (int i = 0; i < 3000; ++i) {
            rig.out("line " + std::to_string(i) + "\r\n");
        }
        rig.out("end");
        QVERIFY(rig.pump([&] { return rig.shows("end"); }));
        QCOMPARE(rig.scrolled.size(), std::size_t{3000 - 23});
        for (std::size_t i = 0; i < rig.scrolled.size(); ++i) {
            QCOMPARE(rig.scrolled[i], "line " + std::to_string(i));
        }
    }

    // A flood while the window takes nothing in: it costs the guest time. What waits here is bounded, and all of it comes.
    void aFloodWithASlowWindow() {
        TerminalRig rig(kProgram, TerminalRig::Window::Slow);
        constexpr int kLines = 40000;
        std::string flood;
        for (int i = 0; i < kLines; ++i) {
            flood += std::to_string(i) + std::string(70, '.') + "\r\n";
        }
        rig.out(flood);
        QVERIFY(rig.pump([&] { return rig.frames == 1; }));
        // The credit is used up, and nothing more goes.
        std::size_t before = 0;
        while (before != rig.guestQueued()) {
            before = rig.guestQueued();
            rig.type("x");
            const auto size = rig.typed.size();
            QVERIFY(rig.pump([&] { return rig.typed.size() > size; })); // it is alive all the while
        }
        QVERIFY(rig.guestQueued() > flood.size() / 2);
        QCOMPARE(rig.frames, std::size_t{1});
        const long memory = peakMemory(rig.pid());
        std::size_t answered = 0;
        rig.exit(0);
        QVERIFY(rig.pump([&] {
            if (answered < rig.frames) {
                answered = rig.frames;
                rig.seen();
            }
            return rig.ended.has_value();
        }));
        QCOMPARE(rig.scrolled.size(), std::size_t{kLines - 23});
        QVERIFY(rig.scrolled.back().starts_with(std::to_string(kLines - 24) + "."));
        QVERIFY(rig.largestMessage <= kMaxToWindow);
        if (memory > 0) { // 3 MB of output went by: it is not what is kept
            QVERIFY2(memory < 128 * 1024, qPrintable(QString::number(memory)));
        }
    }

    // The costliest cells there are, more of them than one frame takes.
    void aFrameIsBounded() {
        TerminalRig rig(kProgram, TerminalRig::Window::Slow, kMaxRows, kMaxColumns);
        QVERIFY(rig.pump([&] { return rig.frames == 1; })); // and until it is taken in there is no other
        std::string costly;
        for (int i = 0; i < kMaxRows * kMaxColumns; ++i) {
            costly += (i % 2 == 0 ? "\x1b[31mx" : "\x1b[32mx") + std::string("\u0301\u0301\u0301\u0301");
            if (costly.size() > 1024 * 1024) {
                rig.out(costly);
                costly.clear();
                QVERIFY(rig.pump([&] { return rig.guestQueued() == 0; }));
            }
        }
        rig.out(costly + "\x1b[H!");
        rig.exit(0);
        std::size_t answered = 0;
        QVERIFY(rig.pump([&] {
            if (answered < rig.frames && rig.guestQueued() == 0) {
                answered = rig.frames;
                rig.seen();
            }
            return rig.ended.has_value();
        }));
        QVERIFY(rig.row(0).starts_with("!"));
        QCOMPARE(rig.rows[kMaxRows - 1].size(), std::size_t{kMaxColumns});
        QVERIFY(rig.frames > 2 && rig.largestMessage <= kMaxToWindow);
        QVERIFY2(rig.largestMessage > kMaxToWindow / 2, qPrintable(QString::number(rig.largestMessage)));
        QVERIFY(!rig.malformed);
    }

    // Sequences that scroll by themselves, for ever.
    void scrollingByItself() {
        TerminalRig rig(kProgram, TerminalRig::Window::Slow, kMaxRows, kMinColumns);
        std::string much;
        for (int i = 0; i < 20000; ++i) {
            much += "\x1b[299S\x1b[9999b\x1b[299T";
        }
        rig.out(much + "\x1b[Hend");
        std::size_t answered = 0;
        QVERIFY(rig.pump([&] {
            if (answered < rig.frames) {
                answered = rig.frames;
                rig.seen();
            }
            return rig.row(0) == "end";
        }));
        QVERIFY(!rig.malformed);
    }

    // A program that does not read: what is typed beyond the bound is lost, and the window is told. The screen goes on.
    void typingAtADeafProgram() {
        TerminalRig rig(kProgram);
        rig.readNoInput();
        QVERIFY(rig.pump([&] { return rig.frames > 0; }));
        for (int i = 0; i < 100; ++i) {
            rig.type(std::string(kMaxInput, 'p'));
        }
        QVERIFY(rig.pump([&] { return rig.inputLost; }));
        rig.out("still here");
        QVERIFY(rig.pump([&] { return rig.shows("still here"); }));
    }

    void ends_data() {
        QTest::addColumn<int>("how");
        QTest::addColumn<int>("number");
        QTest::newRow("exit") << static_cast<int>(Ended::How::Exited) << 7;
        QTest::newRow("signal") << static_cast<int>(Ended::How::Signalled) << 9;
        QTest::newRow("cannot start") << static_cast<int>(Ended::How::Failed) << 0;
        QTest::newRow("lost") << static_cast<int>(Ended::How::Lost) << 0;
        QTest::newRow("nonsense on the wire") << static_cast<int>(Ended::How::Broken) << 0;
        QTest::newRow("nonsense in its words") << static_cast<int>(Ended::How::Broken) << 1;
    }
    void ends() {
        QFETCH(int, how);
        QFETCH(int, number);
        TerminalRig rig(kProgram);
        rig.out("last words");
        QVERIFY(rig.pump([&] { return rig.shows("last words"); }));
        switch (static_cast<Ended::How>(how)) {
        case Ended::How::Exited:
            rig.exit(7);
            break;
        case Ended::How::Signalled:
            rig.say({{"exit", {{"signal", 9}}}});
            rig.out(" and more");
            QVERIFY(rig.pump([&] { return rig.shows("and more"); })); // the end waits for all of the output
            QVERIFY(!rig.ended);
            rig.exit(0); // the first word counts
            break;
        case Ended::How::Failed:
            rig.say({{"error", toJson(Error{ErrorCode::NotFound, "no such luck", {}, 0, nullptr})}});
            break;
        case Ended::How::Lost:
            rig.hangUp();
            break;
        case Ended::How::Broken:
            if (number == 0) {
                rig.sayRaw(std::string(64, '\xff'));
            } else {
                rig.say({{"exit", "soon"}});
            }
            break;
        case Ended::How::Unfit:
            break;
        }
        (void)rig.pump([&] { return rig.gone; });
        QVERIFY(rig.ended.has_value());
        QCOMPARE(static_cast<int>(rig.ended->how), how);
        if (rig.ended->how == Ended::How::Failed) {
            QCOMPARE(rig.ended->error.message, std::string("no such luck"));
        } else if (rig.ended->how != Ended::How::Broken) {
            QCOMPARE(int{rig.ended->number}, number);
        }
        int status = -1;
        QCOMPARE(::waitpid(rig.pid(), &status, 0), rig.pid()); // by itself
        QVERIFY(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    void aWindowThatTalksNonsenseIsLeft() {
        for (const std::string& nonsense : {std::string("\xff\xff\xff\xff"), std::string("\x01\0\0\0\x63", 5), std::string(4, '\0'),
                                            encode(Resize{1, 1}), std::string("\x02\0\0\0\x06x", 6)}) {
            TerminalRig rig(kProgram);
            QVERIFY(rig.pump([&] { return rig.frames > 0; }));
            rig.sendRaw(nonsense);
            QVERIFY(rig.pump([&] { return rig.gone; }));
            int status = -1;
            QCOMPARE(::waitpid(rig.pid(), &status, 0), rig.pid());
            QVERIFY(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        }
    }

    void byHandItSaysWhatItIs() {
        QProcess process;
        process.start(QString::fromStdString(kProgram), QStringList());
        QVERIFY(process.waitForFinished(60000));
        QCOMPARE(process.exitCode(), 2);
        QVERIFY(process.readAllStandardError().contains("carrel shell"));
    }

    void endsWithItsWindow() {
        TerminalRig rig(kProgram);
        QVERIFY(rig.pump([&] { return rig.frames > 0; }));
        const pid_t pid = rig.pid();
        rig.endProcess();
        QCOMPARE(::kill(pid, 0), -1);
        QCOMPARE(errno, ESRCH);
    }
};

QTEST_GUILESS_MAIN(TestTerminal)
#include "test_terminal.moc"
