// SPDX-License-Identifier: Apache-2.0
// What a terminal keeps and what is selected in it: arithmetic, without a window.
#include "tests/ui/terminal/screen_text.h"
#include "ui/terminal/terminal_selection.h"

#include <QPoint>
#include <QStringList>
#include <QTest>

using namespace carrel::ui;
using namespace carrel::test;
using Unit = TerminalSelection::Unit;

class TestTerminalGrid : public QObject {
    Q_OBJECT
private slots:
    void linesKeepTheirNumbers() {
        TerminalGrid grid;
        auto change = grid.apply(frameOf({"a", "b", "c"}));
        QVERIFY(change.resized && change.scrolled == 0);
        QCOMPARE(grid.screenTop(), 0);
        change = grid.apply(frameOf({"c", "d", "e"}, 20, {"a", "b"}));
        QVERIFY(!change.resized && change.scrolled == 2);
        QCOMPARE(grid.screenTop(), 2);
        QCOMPARE(grid.endLine(), 5);
        for (int i = 0; i < 5; ++i) {
            QCOMPARE(textOf(grid.line(i), 0, 1), QString(QChar('a' + i)));
        }
        QVERIFY(grid.line(-1).empty() && grid.line(5).empty());
    }

    void rowsThatDidNotComeStay() {
        TerminalGrid grid;
        grid.apply(frameOf({"a", "b", "c"}));
        auto frame = frameOf({"x", "y", "z"});
        frame.rows.erase(frame.rows.begin());
        grid.apply(std::move(frame));
        QCOMPARE(textOf(grid.line(0), 0, 1), QString("a"));
        QCOMPARE(textOf(grid.line(2), 0, 1), QString("z"));
    }

    void theOldestGo() {
        TerminalGrid grid;
        grid.apply(frameOf({"a", "b"}));
        QStringList many;
        for (int i = 0; i < 1000; ++i) {
            many << "line " + QString::number(i);
        }
        TerminalGrid::Change change;
        for (int i = 0; i < 11; ++i) {
            change = grid.apply(frameOf({"a", "b"}, 20, many));
        }
        QCOMPARE(change.dropped, 1000);
        QCOMPARE(grid.firstLine(), 1000);
        QCOMPARE(grid.screenTop(), 11000);
        QCOMPARE(textOf(grid.line(10999), 0, 8), QString("line 999"));
        QVERIFY(grid.line(999).empty());
    }

    void theBytesAreBoundedToo() {
        using namespace carrel::api::terminal;
        Line costly;
        for (std::size_t i = 0; i < kMaxColumns; ++i) {
            Cell cell;
            cell.points = {'a', 0x301, 0x301, 0x301, 0x301};
            cell.count = 5;
            cell.style.attributes = i % 2 == 0 ? kBold : kItalic;
            costly.push_back(cell);
        }
        TerminalGrid grid;
        for (int i = 0; i < 40; ++i) {
            auto frame = frameOf({"a", "b"});
            frame.scrolled.assign(100, encodeLine(costly));
            grid.apply(std::move(frame));
        }
        const auto kept = grid.screenTop() - grid.firstLine();
        QVERIFY(kept > 1000 && kept < 4000);
        QVERIFY(static_cast<std::size_t>(kept) * kMaxLineBytes <= TerminalGrid::kMaxBytes);
    }

    void selects_data() {
        QTest::addColumn<int>("unit");
        QTest::addColumn<QPoint>("from"); // column, line
        QTest::addColumn<QPoint>("to");
        QTest::addColumn<QString>("text");
        const auto row = [](const char* name, Unit unit, QPoint from, QPoint to, const char* text) {
            QTest::newRow(name) << static_cast<int>(unit) << from << to << QString::fromUtf8(text);
        };
        row("nothing", Unit::Character, {3, 0}, {3, 0}, "");
        row("forwards", Unit::Character, {0, 0}, {5, 0}, "one t");
        row("backwards", Unit::Character, {5, 0}, {0, 0}, "one t");
        row("over lines", Unit::Character, {4, 0}, {3, 1}, "two\n/ho");
        row("up", Unit::Character, {3, 1}, {4, 0}, "two\n/ho");
        row("beyond the end", Unit::Character, {4, 0}, {20, 0}, "two");
        row("half of a wide one", Unit::Character, {1, 2}, {3, 2}, "漢字");
        row("a word", Unit::Word, {5, 0}, {5, 0}, "two");
        row("a path", Unit::Word, {4, 1}, {4, 1}, "/home/ada/x.txt");
        row("words", Unit::Word, {1, 0}, {5, 0}, "one two");
        row("words backwards", Unit::Word, {5, 0}, {1, 0}, "one two");
        row("brackets apart", Unit::Word, {17, 1}, {17, 1}, "a");
        row("a line", Unit::Line, {5, 1}, {5, 1}, "/home/ada/x.txt (a)");
        row("lines", Unit::Line, {5, 1}, {0, 2}, "/home/ada/x.txt (a)\n漢字 z");
        row("past an empty one", Unit::Character, {0, 2}, {1, 4}, "漢字 z\n\ne");
    }
    void selects() {
        QFETCH(int, unit);
        QFETCH(QPoint, from);
        QFETCH(QPoint, to);
        QFETCH(QString, text);
        TerminalGrid grid;
        grid.apply(frameOf({"/home/ada/x.txt (a)", "漢字 z", "", "end"}, 20, {"one two"}));
        TerminalSelection selection;
        selection.begin({from.y(), from.x()}, static_cast<Unit>(unit), grid);
        selection.extendTo({to.y(), to.x()}, grid);
        QCOMPARE(selection.text(grid), text);
        QCOMPARE(selection.isEmpty(), text.isEmpty());
    }

    void allOfIt() {
        TerminalGrid grid;
        grid.apply(frameOf({"b", "c"}, 20, {"a"}));
        TerminalSelection selection;
        selection.selectAll(grid);
        QCOMPARE(selection.text(grid), QString("a\nb\nc"));
    }

    void staysWithItsTextWhenThatMovesUp() {
        TerminalGrid grid;
        grid.apply(frameOf({"one", "two", "three"}));
        TerminalSelection selection;
        selection.begin({1, 0}, Unit::Word, grid);
        QCOMPARE(selection.text(grid), QString("two"));
        grid.apply(frameOf({"three", "four", "five"}, 20, {"one", "two"}));
        QCOMPARE(selection.text(grid), QString("two"));
        QCOMPARE(selection.columnsIn(1, grid), (std::pair{0, 3}));
        QCOMPARE(selection.columnsIn(2, grid), (std::pair{0, 0}));
    }

    void nothingAtAll() {
        const TerminalGrid grid;
        TerminalSelection selection;
        selection.begin({0, 0}, Unit::Word, grid);
        selection.extendTo({5, 5}, grid);
        selection.selectAll(grid);
        QCOMPARE(selection.text(grid), QString());
    }
};

QTEST_GUILESS_MAIN(TestTerminalGrid)
#include "test_terminal_grid.moc"
