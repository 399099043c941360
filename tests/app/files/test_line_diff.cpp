// SPDX-License-Identifier: Apache-2.0
#include "app/files/line_diff.h"

#include <QTest>

#include <random>

using namespace carrel::files;

namespace {

// The new text made from the old one and the hunks alone.
std::vector<std::string> patched(const LineDiff& diff) {
    std::vector<std::string> out;
    std::size_t at = 0;
    for (const auto& hunk : diff.hunks) {
        for (; at < hunk.oldStart; ++at) {
            out.emplace_back(diff.oldLines[at]);
        }
        at += hunk.oldCount;
        for (std::size_t i = 0; i < hunk.newCount; ++i) {
            out.emplace_back(diff.newLines[hunk.newStart + i]);
        }
    }
    for (; at < diff.oldLines.size(); ++at) {
        out.emplace_back(diff.oldLines[at]);
    }
    return out;
}

// Length of a shortest script by the plain quadratic method.
std::size_t shortest(const LineDiff& diff) {
    const auto& a = diff.oldLines;
    const auto& b = diff.newLines;
    std::vector<std::vector<std::size_t>> common(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i < a.size(); ++i) {
        for (std::size_t j = 0; j < b.size(); ++j) {
            common[i + 1][j + 1] =
                a[i] == b[j] ? common[i][j] + 1 : std::max(common[i][j + 1], common[i + 1][j]);
        }
    }
    return a.size() + b.size() - 2 * common[a.size()][b.size()];
}

std::string randomText(std::mt19937& random, int lines, int alphabet) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
        text += static_cast<char>('a' + static_cast<int>(random() % static_cast<unsigned>(alphabet)));
        text += '\n';
    }
    return text;
}

} // namespace

class TestLineDiff : public QObject {
    Q_OBJECT
private slots:
    void showsUnifiedFormat() {
        QCOMPARE(unified(diffLines("a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nb\nc\nd\nE\nf\ng\nh\ni\n")),
                 std::string("@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n"));
        QCOMPARE(unified(diffLines("", "x\n")), std::string("@@ -0,0 +1 @@\n+x\n"));
        QCOMPARE(unified(diffLines("x\n", "")), std::string("@@ -1 +0,0 @@\n-x\n"));
        QCOMPARE(unified(diffLines("x", "x\n")),
                 std::string("@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"));
        QCOMPARE(unified(diffLines("same\n", "same\n")), std::string());
    }

    void isTrueAndShortest() {
        std::mt19937 random(1);
        for (int round = 0; round < 4000; ++round) {
            const int alphabet = 1 + static_cast<int>(random() % 8);
            const std::string a = randomText(random, static_cast<int>(random() % 24), alphabet);
            const std::string b = randomText(random, static_cast<int>(random() % 24), alphabet);
            const LineDiff diff = diffLines(a, b);
            const std::vector<std::string> expected(diff.newLines.begin(), diff.newLines.end());
            QVERIFY(patched(diff) == expected);
            QVERIFY(!diff.shortened);
            QCOMPARE(static_cast<std::size_t>(diff.added() + diff.removed()), shortest(diff));
        }
    }

    void staysTrueWithoutBudget() {
        std::mt19937 random(2);
        for (int round = 0; round < 500; ++round) {
            const std::string a = randomText(random, 60, 5);
            const std::string b = randomText(random, 60, 5);
            const LineDiff diff = diffLines(a, b, random() % 300);
            QVERIFY(patched(diff) == std::vector<std::string>(diff.newLines.begin(), diff.newLines.end()));
        }
    }

    void isBoundedOnTheWorstCase() {
        std::mt19937 random(3);
        const std::string before = randomText(random, 200'000, 26); // the diff has views into both
        const std::string after = randomText(random, 200'000, 26);
        const LineDiff diff = diffLines(before, after, 1'000'000);
        QVERIFY(diff.shortened);
        QVERIFY(patched(diff) == std::vector<std::string>(diff.newLines.begin(), diff.newLines.end()));
    }

    void knowsText() {
        QVERIFY(looksLikeText("") && looksLikeText("grün\n"));
        QVERIFY(!looksLikeText(std::string_view("a\0b", 3)) && !looksLikeText("\xff\xfe"));
    }
};

QTEST_GUILESS_MAIN(TestLineDiff)
#include "test_line_diff.moc"
