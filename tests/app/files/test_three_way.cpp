// SPDX-License-Identifier: Apache-2.0
#include "app/files/three_way.h"

#include <QTest>

#include <random>

using namespace carrel::files;

class TestThreeWay : public QObject {
    Q_OBJECT
private slots:
    void showsWhoChangedWhat();
    void oneInsertsWhereTheOtherRemoves();
    void missingNewlineIsAChange();
    void everySideCanBeReadBack();
};

void TestThreeWay::showsWhoChangedWhat() {
    const auto shown = threeWay("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\nmine\n3\n4\nours\n6\n7\nsame\n9\n",
                                "1\n2\n3\n4\ntheirs\n6\n7\nsame\nnine\n", 1);
    QCOMPARE(shown.listing, std::string("@@ 2,1: only you changed it @@\n 1\n|2\n<mine\n 3\n"
                                        "@@ 5,1: both changed it @@\n 4\n|5\n<ours\n>theirs\n 6\n"
                                        "@@ 8,2: both changed it @@\n 7\n|8\n|9\n<same\n<9\n>same\n>nine\n"));
    QCOMPARE(shown.both, std::uint64_t{2});
    const auto same = threeWay("a\nb\n", "a\nc\n", "a\nc\n", 0);
    QCOMPARE(same.listing, std::string("@@ 2,1: both made the same change @@\n|b\n=c\n"));
    QCOMPARE(same.both, std::uint64_t{0});
    QVERIFY(threeWay("a\n", "a\n", "a\n").listing.empty());
    QVERIFY(threeWay("", "", "").listing.empty());
}

void TestThreeWay::oneInsertsWhereTheOtherRemoves() {
    const auto shown = threeWay("a\nb\nc\n", "a\nc\n", "a\nnew\nb\nc\n", 0);
    QCOMPARE(shown.both, std::uint64_t{1});
    QCOMPARE(shown.listing, std::string("@@ 2,1: both changed it @@\n|b\n>new\n>b\n"));
    QCOMPARE(threeWay("", "x\n", "y\n").listing, std::string("@@ 0,0: both changed it @@\n<x\n>y\n"));
}

void TestThreeWay::missingNewlineIsAChange() {
    QCOMPARE(threeWay("a\n", "a", "a\n", 0).listing,
             std::string("@@ 1,1: only you changed it @@\n|a\n<a\n\\ No newline at end of file\n"));
}

// With all context shown, the base is in every listing, and each side's version can be put together from it.
void TestThreeWay::everySideCanBeReadBack() {
    std::mt19937 random(11);
    const auto text = [&](const std::string& from, int edits) {
        std::string out = from;
        for (int n = 0; n < edits; ++n) {
            std::vector<std::string> lines;
            for (std::size_t at = 0; at < out.size(); at = out.find('\n', at) + 1) {
                lines.push_back(out.substr(at, out.find('\n', at) + 1 - at));
            }
            const auto line = static_cast<std::ptrdiff_t>(random() % (lines.size() + 1));
            if (random() % 2 == 0 || lines.empty() || line == static_cast<std::ptrdiff_t>(lines.size())) {
                lines.insert(lines.begin() + line,
                             std::string(1, static_cast<char>('a' + random() % 4)) + "\n");
            } else {
                lines.erase(lines.begin() + line);
            }
            out.clear();
            for (const auto& each : lines) {
                out += each;
            }
        }
        return out;
    };
    for (int round = 0; round < 500; ++round) {
        const std::string base = text("", 12);
        const std::string yours = text(base, static_cast<int>(random() % 5));
        const std::string theirs = text(base, static_cast<int>(random() % 5));
        const auto shown = threeWay(base, yours, theirs, 1000);
        std::string is[3];
        bool mine = false;
        bool other = false;
        for (std::size_t at = 0; at < shown.listing.size();) {
            const auto end = shown.listing.find('\n', at) + 1;
            const std::string line = shown.listing.substr(at, end - at);
            at = end;
            switch (line[0]) {
            case '@':
                mine = line.find("agent") == std::string::npos;
                other = line.find("you") == std::string::npos;
                break;
            case '|':
                is[0] += line.substr(1);
                is[1] += mine ? "" : line.substr(1);
                is[2] += other ? "" : line.substr(1);
                break;
            case ' ':
                for (auto& each : is) {
                    each += line.substr(1);
                }
                break;
            default:
                is[1] += line[0] != '>' ? line.substr(1) : "";
                is[2] += line[0] != '<' ? line.substr(1) : "";
            }
        }
        if (!shown.listing.empty()) {
            QCOMPARE(is[0], base);
            QCOMPARE(is[1], yours);
            QCOMPARE(is[2], theirs);
        } else {
            QVERIFY(yours == base && theirs == base);
        }
    }
}

QTEST_GUILESS_MAIN(TestThreeWay)
#include "test_three_way.moc"
