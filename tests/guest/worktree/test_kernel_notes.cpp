// SPDX-License-Identifier: Apache-2.0
// What the kernel is told to forget: each once and once more, the quick ones first, and none left out.
#include "guest/worktree/kernel_notes.h"

#include <QTest>

using namespace carrel::worktree;
using Kind = KernelNote::Kind;
using Which = KernelNotes::Which;

namespace {

const KernelNotes::Time kStart = KernelNotes::Time(std::chrono::hours(1));

KernelNote entry(const std::string& name, bool folder = false, bool byHost = true) {
    return {Kind::Entry, 1, name, folder, byHost};
}
std::string nextOf(KernelNotes& notes, KernelNotes::Time now, Which which = Which::Any) {
    const auto note = notes.next(now, which);
    return !note ? "" : note->kind == Kind::Everything ? "everything" : note->name;
}

} // namespace

class TestKernelNotes : public QObject {
    Q_OBJECT
private slots:
    void onceAndOnceMore() {
        KernelNotes notes;
        QVERIFY(!notes.due(kStart));
        notes.add(entry("a"));
        notes.add(entry("b"));
        notes.add(entry("a"));
        QVERIFY(notes.due(kStart) == kStart);
        QCOMPARE(nextOf(notes, kStart), std::string("a"));
        QCOMPARE(nextOf(notes, kStart), std::string("b"));
        QCOMPARE(nextOf(notes, kStart), std::string());
        const auto later = kStart + KernelNotes::kAgain;
        QVERIFY(notes.due(kStart) == later);
        QCOMPARE(nextOf(notes, later - std::chrono::milliseconds(1)), std::string());
        QCOMPARE(nextOf(notes, later), std::string("a"));
        QCOMPARE(nextOf(notes, later), std::string("b"));
        QVERIFY(!notes.due(later));
    }

    // Changed again between the two: told at once, and the second telling comes after that.
    void changedAgainMeanwhile() {
        KernelNotes notes;
        notes.add(entry("a"));
        QCOMPARE(nextOf(notes, kStart), std::string("a"));
        const auto between = kStart + KernelNotes::kAgain / 2;
        notes.add(entry("a"));
        QCOMPARE(nextOf(notes, between), std::string("a"));
        QCOMPARE(nextOf(notes, kStart + KernelNotes::kAgain), std::string());
        QCOMPARE(nextOf(notes, between + KernelNotes::kAgain), std::string("a"));
        QCOMPARE(nextOf(notes, between + KernelNotes::kAgain * 9), std::string());
    }

    void aFolderHoldsUpNoFile() {
        KernelNotes notes;
        notes.add(entry("folder", true));
        notes.add(entry("file"));
        QCOMPARE(nextOf(notes, kStart), std::string("file"));
        QCOMPARE(nextOf(notes, kStart, Which::Quick), std::string());
        QVERIFY(notes.due(kStart) == kStart); // it waits still
        QCOMPARE(nextOf(notes, kStart), std::string("folder"));
        // Nor does its second telling.
        const auto later = kStart + KernelNotes::kAgain;
        QCOMPARE(nextOf(notes, later, Which::Quick), std::string("file"));
        QCOMPARE(nextOf(notes, later, Which::Quick), std::string());
        QCOMPARE(nextOf(notes, later), std::string("folder"));
    }

    void norDoesItWhenItCameFirst() {
        KernelNotes notes;
        notes.add(entry("folder", true));
        QCOMPARE(nextOf(notes, kStart), std::string("folder"));
        notes.add(entry("file"));
        QCOMPARE(nextOf(notes, kStart), std::string("file"));
        QCOMPARE(nextOf(notes, kStart + KernelNotes::kAgain, Which::Quick), std::string("file"));
    }

    void whatWasDecidedIsToldAllTheSame() {
        KernelNotes notes;
        notes.add(entry("decided", false, false));
        for (std::size_t i = 0; i < KernelNotes::kMostWaiting; ++i) {
            notes.add(entry("n" + std::to_string(i)));
        }
        QCOMPARE(nextOf(notes, kStart), std::string("decided"));
        QCOMPARE(nextOf(notes, kStart), std::string("everything"));
        QCOMPARE(nextOf(notes, kStart), std::string());
        notes.add(entry("n1")); // it waits no longer, so it counts again
        QCOMPARE(nextOf(notes, kStart), std::string("n1"));
    }

    void alsoWhereTheHostHadChangedItBefore() {
        KernelNotes notes;
        notes.add(entry("decided"));
        notes.add(entry("decided", false, false));
        notes.add(entry("decided"));
        for (std::size_t i = 0; i < KernelNotes::kMostWaiting; ++i) {
            notes.add(entry("n" + std::to_string(i)));
        }
        QCOMPARE(nextOf(notes, kStart), std::string("decided"));
        QCOMPARE(nextOf(notes, kStart), std::string("everything"));
    }

    void tooManyAreEverything() {
        KernelNotes notes;
        for (std::size_t i = 0; i <= KernelNotes::kMostWaiting; ++i) {
            notes.add(entry("n" + std::to_string(i)));
        }
        QCOMPARE(nextOf(notes, kStart), std::string("everything"));
        QCOMPARE(nextOf(notes, kStart), std::string());
        notes.add(entry("after"));
        QCOMPARE(nextOf(notes, kStart), std::string("after"));
        QCOMPARE(nextOf(notes, kStart + KernelNotes::kAgain), std::string("after"));
        QCOMPARE(nextOf(notes, kStart + KernelNotes::kAgain), std::string("everything"));
    }
};

QTEST_GUILESS_MAIN(TestKernelNotes)
#include "test_kernel_notes.moc"
