// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/diff_document.h"
#include "ui/changes/line_pairs.h"
#include "ui/changes/shown_line.h"
#include "ui/changes/word_marks.h"

#include "tests/support/nasty_texts.h"

#include <QStringList>
#include <QTest>
#include <QVector>

#include <random>

using namespace carrel::ui;

namespace {

// A row as a line: "~ 3 old | 4 new".
QStringList drawn(const DiffDocument& document) {
    QStringList out;
    for (const auto& row : document.rows) {
        static const char* const kNames[] = {"gap", " ", "~", "-", "+", "base", "yours", "agent", "both", "?", "cut"};
        QString line = QString::fromLatin1(kNames[static_cast<std::size_t>(row.kind)]);
        if (row.leftNumber != 0 || !row.left.empty()) {
            line += QString(" %1 %2%3").arg(row.leftNumber).arg(QString::fromUtf8(row.left.data(), qsizetype(row.left.size())), row.leftOpen ? "$" : "");
        }
        if (row.rightNumber != 0 || !row.right.empty()) {
            line += QString(" | %1 %2%3").arg(row.rightNumber).arg(QString::fromUtf8(row.right.data(), qsizetype(row.right.size())), row.rightOpen ? "$" : "");
        }
        out << line;
    }
    return out;
}

} // namespace

class TestDiffDocument : public QObject {
    Q_OBJECT
private slots:
    void unified_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QStringList>("rows");
        QTest::newRow("nothing") << QByteArray() << QStringList();
        QTest::newRow("a change") << QByteArray("@@ -3,3 +4,3 @@\n a\n-old one\n+new one\n b\n")
                                  << QStringList({"gap 3  | 4 ", "  3 a | 4 a", "~ 4 old one | 5 new one", "  5 b | 6 b"});
        QTest::newRow("a new file") << QByteArray("@@ -0,0 +1,2 @@\n+x\n+y\n") << QStringList({"gap 1  | 1 ", "+ | 1 x", "+ | 2 y"});
        QTest::newRow("a file that goes") << QByteArray("@@ -1 +0,0 @@\n-x\n") << QStringList({"gap 1  | 1 ", "- 1 x"});
        QTest::newRow("no line ends") << QByteArray("@@ -1 +1 @@\n-a b\n\\ No newline at end of file\n+a c\n\\ No newline at end of file\n")
                                      << QStringList({"gap 1  | 1 ", "~ 1 a b$ | 1 a c$"});
        QTest::newRow("none at the end of both") << QByteArray("@@ -1 +1 @@\n-x\n a\n\\ No newline at end of file\n")
                                                 << QStringList({"gap 1  | 1 ", "- 1 x", "  2 a$ | 1 a$"});
        QTest::newRow("two hunks") << QByteArray("@@ -1 +1 @@\n-a\n+b\n@@ -9,0 +9 @@\n+c\n")
                                   << QStringList({"gap 1  | 1 ", "~ 1 a | 1 b", "gap 10  | 9 ", "+ | 9 c"});
        QTest::newRow("empty lines") << QByteArray("@@ -1,2 +1,2 @@\n \n-\n+x\n") << QStringList({"gap 1  | 1 ", "  1  | 1 ", "~ 2  | 2 x"});
        QTest::newRow("a last line without an end") << QByteArray("@@ -1 +1 @@\n-a\n+b") << QStringList({"gap 1  | 1 ", "~ 1 a | 1 b"});
        QTest::newRow("no header") << QByteArray("-a\n+b\n") << QStringList({"~ 1 a | 1 b"});
        QTest::newRow("a header that is none") << QByteArray("@@ -x +1 @@\n+b\n") << QStringList({"? 0 @@ -x +1 @@", "+ | 1 b"});
        QTest::newRow("a number too large") << QByteArray("@@ -99999999999 +1 @@\n+b\n") << QStringList({"? 0 @@ -99999999999 +1 @@", "+ | 1 b"});
        QTest::newRow("no sign") << QByteArray("@@ -1 +1 @@\nstrange\n\n+b\n") << QStringList({"gap 1  | 1 ", "? 0 strange", "?", "+ | 1 b"});
        QTest::newRow("an end of nothing") << QByteArray("\\ No newline at end of file\n") << QStringList({"? 0 \\ No newline at end of file"});
        QTest::newRow("an end after a hunk's beginning") << QByteArray("@@ -1 +1 @@\n-a\n@@ -5 +5 @@\n\\ x\n")
                                                         << QStringList({"gap 1  | 1 ", "- 1 a", "gap 5  | 5 ", "? 0 \\ x"});
        QTest::newRow("two ends") << QByteArray("+a\n\\ x\n\\ y\n") << QStringList({"+ | 1 a$", "? 0 \\ y"});
    }
    void unified() {
        QFETCH(QByteArray, text);
        QFETCH(QStringList, rows);
        QCOMPARE(drawn(parseUnified(text.toStdString())), rows);
    }
    // Whatever comes: every line of the text is in one row, on its side, in its order.
    void everyLineOnce_data() {
        QTest::addColumn<int>("seed");
        for (int seed = 0; seed < 40; ++seed) {
            QTest::addRow("%d", seed) << seed;
        }
    }
    void everyLineOnce() {
        QFETCH(int, seed);
        std::mt19937 random(static_cast<unsigned>(seed));
        std::string text;
        QStringList left;
        QStringList right;
        QStringList strange;
        const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
        for (int i = 0; i < 400; ++i) {
            const auto line = QString("line %1 %2").arg(below(30)).arg(QString(below(5), 'w'));
            switch (below(i % 7 == 0 ? 6 : 3)) {
            case 0:
                text += " " + line.toStdString() + "\n";
                left << line;
                right << line;
                break;
            case 1:
                text += "-" + line.toStdString() + "\n";
                left << line;
                break;
            case 2:
                text += "+" + line.toStdString() + "\n";
                right << line;
                break;
            case 3:
                text += "@@ -1 +1 @@\n";
                break;
            case 4:
                text += "x" + line.toStdString() + "\n";
                strange << "x" + line;
                break;
            default:
                text += "\n";
                strange << QString();
                break;
            }
        }
        QStringList gotLeft;
        QStringList gotRight;
        QStringList gotStrange;
        const auto document = parseUnified(text);
        const auto toText = [](std::string_view part) { return QString::fromUtf8(part.data(), qsizetype(part.size())); };
        for (const auto& row : document.rows) {
            switch (row.kind) {
            case RowKind::Same:
            case RowKind::Changed:
                gotLeft << toText(row.left);
                gotRight << toText(row.right);
                break;
            case RowKind::Removed:
                gotLeft << toText(row.left);
                break;
            case RowKind::Added:
                gotRight << toText(row.right);
                break;
            case RowKind::Strange:
                gotStrange << toText(row.left);
                break;
            default:
                break;
            }
        }
        QCOMPARE(gotLeft, left);
        QCOMPARE(gotRight, right);
        QCOMPARE(gotStrange, strange);
        QCOMPARE(document.strange, std::uint64_t(strange.size()));
    }
    void threeWays() {
        const auto document = parseThreeWay("@@ 1,3: both changed it @@\n a\n|older\n<old\n>new\n\\ No newline at end of file\n=same\nodd\n");
        QCOMPARE(drawn(document), QStringList({"gap 0 @@ 1,3: both changed it @@", "  0 a", "base 0 older", "yours 0 old", "agent 0 new$", "both 0 same",
                                               "? 0 odd"}));
    }
    void whatIsTooMuchIsCutAndSaid() {
        std::string text = "@@ -0,0 +1,100 @@\n";
        for (int i = 0; i < 100; ++i) {
            text += "+line\n";
        }
        const auto document = parseUnified(text, 50);
        QCOMPARE(document.rows.size(), std::size_t(51));
        QCOMPARE(document.rows.back().kind, RowKind::CutOff);
        QCOMPARE(document.rows.back().leftNumber, std::uint32_t(51));
    }
    void likeLinesArePaired() {
        using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
        QCOMPARE(pairLines({"the quick brown fox"}, {"something else", "and more of it", "the quick red fox"}),
                 (Pairs{{kNoLine, 0}, {kNoLine, 1}, {0, 2}}));
        QCOMPARE(pairLines({"a", "b"}, {"x"}), (Pairs{{0, 0}, {1, kNoLine}})); // unlike: as they come
        QCOMPARE(pairLines({}, {"x"}), (Pairs{{kNoLine, 0}}));
        const std::vector<std::string_view> many(500, "a line");
        QCOMPARE(pairLines(many, many).size(), std::size_t(500)); // too many to compare
    }
    void marks_data() {
        QTest::addColumn<QString>("left");
        QTest::addColumn<QString>("right");
        QTest::addColumn<QString>("leftMarked"); // brackets around marks
        QTest::addColumn<QString>("rightMarked");
        QTest::newRow("a word") << "the old house" << "the new house" << "the [old] house" << "the [new] house";
        QTest::newRow("a word more") << "tea 3.10" << "tea 3.10 milk" << "tea 3.10" << "tea 3.10[ milk]";
        QTest::newRow("two words together") << "it is very old now" << "it is quite new now" << "it is [very old] now" << "it is [quite new] now";
        QTest::newRow("a sign") << "f(a, b)" << "f(a; b)" << "f(a[,] b)" << "f(a[;] b)";
        QTest::newRow("the same") << "x" << "x" << "x" << "x";
        QTest::newRow("nothing in common") << "abc def" << "something wholly different" << "abc def" << "something wholly different";
        QTest::newRow("indented") << "return x;" << "    return x;" << "return x;" << "[    ]return x;";
        QTest::newRow("empty") << "" << "x" << "" << "x";
        QTest::newRow("letters of two units") << "a 𝒳 b" << "a 𝒴 b" << "a [𝒳] b" << "a [𝒴] b";
    }
    void marks() {
        QFETCH(QString, left);
        QFETCH(QString, right);
        QFETCH(QString, leftMarked);
        QFETCH(QString, rightMarked);
        const auto bracketed = [](QString text, const QVector<WordMark>& marks) {
            for (auto at = marks.rbegin(); at != marks.rend(); ++at) {
                text.insert(at->start + at->length, ']').insert(at->start, '[');
            }
            return text;
        };
        const auto got = wordMarks(left, right);
        QCOMPARE(bracketed(left, got.left), leftMarked);
        QCOMPARE(bracketed(right, got.right), rightMarked);
    }
    // Two lines of thousands of words: bounded, and what is marked is within them.
    void longLinesAreMarkedWithinBounds() {
        QString left;
        QString right;
        for (int i = 0; i < 4000; ++i) {
            left += QString("w%1 ").arg(i);
            right += QString("w%1 ").arg(i % 7 == 0 ? i + 1 : i);
        }
        for (const auto& mark : wordMarks(left, right).left) {
            QVERIFY(mark.start >= 0 && mark.length > 0 && mark.start + mark.length <= left.size());
        }
    }
    void nastyLinesAreShownHarmless_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::allNastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text).replace('\n', ' ');
        }
    }
    void nastyLinesAreShownHarmless() {
        QFETCH(QByteArray, text);
        const auto shown = shownLine(text.toStdString());
        QVERIFY2(carrel::test::actsOnNobody(shown.toStdString()), qPrintable(shown));
        QVERIFY2(columnsOf(text.toStdString()) * 2 + 8 >= shown.size(), qPrintable(shown)); // the bar along goes far enough
    }
    void longLinesAreCutWithAMark() {
        const auto shown = shownLine(std::string(1'000'000, 'x'));
        QVERIFY(shown.size() < qsizetype(kMostOfALine) + 100);
        QVERIFY2(shown.endsWith(')') && shown.contains("the line goes on for"), qPrintable(shown.right(60)));
        std::string umlauts;
        while (umlauts.size() < 2 * kMostOfALine) {
            umlauts += "x\xc3\xa4";
        }
        QVERIFY(!shownLine(umlauts).contains("\\x")); // not cut amid a character
    }
    void tabsStay() { QCOMPARE(shownLine("a\tb"), "a\tb"); }
};

QTEST_GUILESS_MAIN(TestDiffDocument)
#include "test_diff_document.moc"
