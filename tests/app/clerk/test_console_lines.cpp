// SPDX-License-Identifier: Apache-2.0
// What a guest prints on its console, hostile as everything of it: bounded, however it is cut into pieces.
#include "app/clerk/console_reader.h"

#include <QTest>

using namespace carrel;
using namespace carrel::clerk;

namespace {

struct Console {
    std::vector<std::string> told;
    ConsoleLines lines{{[this](std::string_view who, std::string_view name) {
                            told.push_back(std::string(who) + " stage " + std::string(name));
                        },
                        [this](std::string_view who, std::string_view text) {
                            told.push_back(std::string(who) + " failed " + std::string(text));
                        }}};
    void feed(std::string_view text) { lines.feed(asBytes(text)); }
};

} // namespace

class TestConsoleLines : public QObject {
    Q_OBJECT
private slots:
    void linesAreTold_data() {
        QTest::addColumn<int>("piece");
        for (const int piece : {1, 2, 7, 1000}) {
            QTest::addRow("%d bytes at a time", piece) << piece;
        }
    }
    void linesAreTold() {
        QFETCH(int, piece);
        const std::string text = "[    0.1] Linux\r\n"
                                 "carrel-init: stage root\r\n"
                                 "[    0.2] no end of linecarrel-guestd: stage ready\n"
                                 "carrel-init: failed mounting the disk: No such device\n"
                                 "carrel-init: something else\n"
                                 "carrel-other: stage root\n"
                                 "carrel-guestd: stage never finished";
        Console console;
        for (std::size_t at = 0; at < text.size(); at += static_cast<std::size_t>(piece)) {
            console.feed(std::string_view(text).substr(at, static_cast<std::size_t>(piece)));
        }
        const std::vector<std::string> expected{"carrel-init stage root", "carrel-guestd stage ready",
                                                "carrel-init failed mounting the disk: No such device"};
        QCOMPARE(console.told, expected);
        QCOMPARE(console.lines.tail(), text);
    }

    void aLineWithoutEndIsCut() {
        Console console;
        console.feed("carrel-init: failed ");
        for (int i = 0; i < 1000; ++i) {
            console.feed(std::string(1024, 'x'));
            QVERIFY(console.lines.tail().size() <= kConsoleTailBytes * 2 + 1024);
        }
        console.feed("\n");
        QCOMPARE(console.told.size(), std::size_t{1});
        QVERIFY(console.told[0].size() <= kMaxConsoleLine);
        console.feed("carrel-init: stage root\n"); // the next line is its own again
        QCOMPARE(console.told.back(), std::string("carrel-init stage root"));
    }

    void theLastLinesAreKept() {
        Console console;
        for (int i = 0; i < 5000; ++i) {
            console.feed("line " + std::to_string(i) + "\n");
        }
        QVERIFY(console.lines.tail().size() >= kConsoleTailBytes);
        QVERIFY(console.lines.tail().ends_with("line 4998\nline 4999\n"));
    }

    void anyBytes() {
        Console console;
        console.feed(std::string_view("\0\xff\x1b[2J\n\n\r\r\ncarrel-init: stage \x1b]0;x\a\n", 37));
        QCOMPARE(console.told.size(), std::size_t{1}); // escaped where it is shown, not here
    }
};

QTEST_GUILESS_MAIN(TestConsoleLines)
#include "test_console_lines.moc"
