// SPDX-License-Identifier: Apache-2.0
#include "app/agents/review_book.h"

#include "guest/protocol/share_path.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::agents;

namespace {

const std::string kSetA(64, 'a');
const std::string kSetB(64, 'b');

} // namespace

class TestReviewBook : public QObject {
    Q_OBJECT
private slots:
    void idNamesEverySet();
    void remembers();
    void undoOfAnUndoStandsAgain();
    void makesRoom();
    void refusesWhatItCannotRead();
    void comesBackWithTheLongestPath();
    void comesBackWithManyParts();
    void keepsWhatUndoNeedsInATightBook();

private:
    [[nodiscard]] std::filesystem::path file() const {
        return m_folder.filePath(QTest::currentTestFunction()).toStdString();
    }
    QTemporaryDir m_folder;
};

void TestReviewBook::idNamesEverySet() {
    auto book = ReviewBook::open(file());
    QVERIFY(book);
    std::vector<Review> dropped;
    const auto one = book->add({{1, kSetA}, {2, kSetB}}, dropped);
    const auto same = book->add({{2, kSetB}, {1, kSetA}}, dropped);
    const auto swapped = book->add({{1, kSetB}, {2, kSetA}}, dropped);
    QVERIFY(one && same && swapped);
    QCOMPARE(one->id.size(), std::size_t{64});
    QCOMPARE(same->id, one->id); // the order of looking is no matter
    QVERIFY(swapped->id != one->id);
    QCOMPARE(book->reviews().size(), std::size_t{2});
}

void TestReviewBook::remembers() {
    std::string review;
    {
        auto book = ReviewBook::open(file());
        std::vector<Review> dropped;
        review = book->add({{7, kSetA}}, dropped)->id;
        QCOMPARE(*book->record(0, review, {{7, "apply-1"}, {8, "apply-2"}}), std::uint64_t{1});
    }
    auto book = ReviewBook::open(file());
    QVERIFY(book);
    const auto* known = book->find(review);
    QVERIFY(known != nullptr);
    QCOMPARE(known->parts.at(0).share, 7U);
    QCOMPARE(known->parts.at(0).set, kSetA);
    QCOMPARE(book->nextNumber(), std::uint64_t{2});
    const auto* apply = book->apply(1);
    QVERIFY(apply != nullptr);
    QCOMPARE(apply->review, review);
    QCOMPARE(apply->parts.at(1).apply, "apply-2");
    QVERIFY(book->apply(2) == nullptr);
    QVERIFY(book->find(kSetB) == nullptr);
}

void TestReviewBook::undoOfAnUndoStandsAgain() {
    auto book = ReviewBook::open(file());
    QVERIFY(book->lastStanding() == nullptr);
    QCOMPARE(*book->record(0, "r", {{1, "a1"}}), std::uint64_t{1});
    QCOMPARE(*book->record(0, "r", {{1, "a2"}}), std::uint64_t{2});
    QCOMPARE(book->lastStanding()->number, std::uint64_t{2});
    QCOMPARE(*book->record(2, "r", {{1, "u3"}}), std::uint64_t{3});
    QVERIFY(book->isUndone(2));
    QCOMPARE(book->lastStanding()->number, std::uint64_t{1});
    QCOMPARE(*book->record(3, "r", {{1, "u4"}}), std::uint64_t{4}); // the undo is taken back
    QVERIFY(book->isUndone(3));
    QVERIFY(!book->isUndone(2));
    QCOMPARE(book->lastStanding()->number, std::uint64_t{2});
    QCOMPARE(*book->record(4, "r", {{1, "u5"}}), std::uint64_t{5});
    QVERIFY(book->isUndone(2));
    // All of it after a restart as well.
    auto again = ReviewBook::open(file());
    QVERIFY(again->isUndone(2));
    QCOMPARE(again->lastStanding()->number, std::uint64_t{1});
}

void TestReviewBook::makesRoom() {
    auto book = ReviewBook::open(file());
    std::vector<Review> dropped;
    std::string first;
    for (std::size_t n = 0; n <= kMaxReviews; ++n) {
        const auto review = book->add({{static_cast<std::uint32_t>(n + 1), kSetA}}, dropped);
        first = n == 0 ? review->id : first;
    }
    QCOMPARE(dropped.size(), std::size_t{1});
    QCOMPARE(dropped.at(0).id, first);
    QVERIFY(book->find(first) == nullptr);
}

void TestReviewBook::refusesWhatItCannotRead() {
    const auto put = [&](const char* text) {
        QFile out(QString::fromStdString(file().string()));
        QVERIFY(out.open(QIODevice::WriteOnly | QIODevice::Truncate));
        out.write(text);
    };
    put(R"({"schema":1,"next":3,"reviews":[],"applies":[]})");
    QVERIFY(ReviewBook::open(file()));
    for (const char* bad :
         {"", "{", R"({"schema":2,"next":3,"reviews":[],"applies":[]})",
          R"({"schema":1,"next":3,"reviews":[]})", R"({"schema":1,"next":3,"reviews":[1],"applies":[]})",
          R"({"schema":1,"next":3,"reviews":[],"applies":[{"number":1}]})",
          R"({"schema":1,"next":3,"reviews":[],"applies":[],"more":1})"}) {
        put(bad);
        QVERIFY2(!ReviewBook::open(file()), bad);
    }
}

// A share's name and a path within it, each of the longest.
void TestReviewBook::comesBackWithTheLongestPath() {
    for (const char fill : {'x', '\xe9'}) { // as text, and as base64
        const std::string longest = std::string(255, fill) + "/" + std::string(kMaxPathBytes, fill);
        {
            auto book = ReviewBook::open(file());
            QVERIFY(book);
            ApplyFacts facts;
            facts.first = longest;
            QVERIFY(book->record(0, "r", {{1, "a1"}}, facts));
        }
        const auto book = ReviewBook::open(file());
        QVERIFY2(book.has_value(), book ? "" : book.error().text().c_str());
        QCOMPARE(book->applies().back().facts.first, longest);
    }
}

// Each file of which both versions are kept is a part of its own.
void TestReviewBook::comesBackWithManyParts() {
    {
        auto book = ReviewBook::open(file());
        QVERIFY(book->record(0, "r", std::vector<ApplyPart>(5000, {1, "a1"})));
    }
    const auto book = ReviewBook::open(file());
    QVERIFY2(book.has_value(), book ? "" : book.error().text().c_str());
    QCOMPARE(book->apply(1)->parts.size(), std::size_t{5000});
}

void TestReviewBook::keepsWhatUndoNeedsInATightBook() {
    constexpr std::size_t kBytes = 100'000;
    constexpr std::uint64_t kApplies = 60;
    {
        auto book = ReviewBook::open(file(), kBytes);
        for (std::uint64_t n = 1; n <= kApplies; ++n) {
            ApplyFacts facts;
            facts.first = std::string(4000, 'x');
            facts.done = n;
            QVERIFY(book->record(n == kApplies ? 1 : 0, "r", {{1, "a" + std::to_string(n)}}, facts));
            QVERIFY(std::filesystem::file_size(file()) <= kBytes);
        }
    }
    const auto book = ReviewBook::open(file(), kBytes);
    QVERIFY2(book.has_value(), book ? "" : book.error().text().c_str());
    QCOMPARE(book->applies().size(), std::size_t{kApplies});
    QVERIFY(book->apply(1)->facts.first.empty()); // the oldest goes without
    QVERIFY(!book->apply(kApplies)->facts.first.empty());
    for (std::uint64_t n = 1; n <= kApplies; ++n) {
        QCOMPARE(book->apply(n)->parts.at(0).apply, "a" + std::to_string(n));
        QCOMPARE(book->apply(n)->facts.done, n);
    }
    QCOMPARE(book->undoneBy(1), kApplies);
    // Where even that is more than the bound, it is kept all the same, and read.
    {
        auto tight = ReviewBook::open(file(), 1000);
        QVERIFY(tight && tight->record(0, "r", {{1, "last"}}));
    }
    const auto tight = ReviewBook::open(file(), 1000);
    QVERIFY2(tight.has_value(), tight ? "" : tight.error().text().c_str());
    QCOMPARE(tight->apply(2)->parts.at(0).apply, std::string("a2"));
    QCOMPARE(tight->lastStanding()->parts.at(0).apply, std::string("last"));
}

QTEST_GUILESS_MAIN(TestReviewBook)
#include "test_review_book.moc"
