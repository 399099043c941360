// SPDX-License-Identifier: Apache-2.0
// A disk that keeps no permissions (vfat, exFAT, many network folders): chmod(2) succeeds and changes nothing. What is put
// there is done, told as done, and can be taken back.
#include "tests/app/files/files_world.h"

#include <QTest>

#include <sys/syscall.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {
bool gKeepsNone = false;
constexpr mode_t kOfTheDisk = 0755;
} // namespace

// In the place of the C library's, for all that is linked into this test.
extern "C" int fchmod(int fd, mode_t mode) noexcept {
    return static_cast<int>(::syscall(SYS_fchmod, fd, gKeepsNone ? kOfTheDisk : mode));
}

class TestModelessDisk : public QObject {
    Q_OBJECT
private slots:
    void init() { gKeepsNone = true; }
    void cleanup() { gKeepsNone = false; }

    void changesAreDoneAndTakenBack() {
        World w;
        writeFile(w.at("edited"), "one\n", kOfTheDisk);
        writeFile(w.at("gone"), "gone\n", kOfTheDisk);
        const auto before = snapshot(w.share, Times::Files);
        w.content(ChangeKind::Created, "new", "made\n");
        w.claim(ChangeKind::Created, "folder", EntryType::Directory);
        w.content(ChangeKind::Created, "folder/inner", "made too\n");
        w.content(ChangeKind::Modified, "edited", "two\n");
        w.claim(ChangeKind::Deleted, "gone");
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set);
        auto report = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(report);
        QVERIFY2(report->complete(), describe(*report).c_str());
        QVERIFY2(describe(*report).find("new=applied(this disk keeps no permissions") != std::string::npos,
                 describe(*report).c_str());
        QCOMPARE(slurp(w.at("new")), std::string("made\n"));
        QCOMPARE(slurp(w.at("folder/inner")), std::string("made too\n"));
        QCOMPARE(slurp(w.at("edited")), std::string("two\n"));
        review.reset();
        review = w.review(); // as it is read from the disk
        auto undone = review->undo(w.root.get(), report->id);
        QVERIFY(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        auto again = review->undo(w.root.get(), undone->id);
        QVERIFY(again);
        QVERIFY2(again->complete(), describe(*again).c_str());
        QCOMPARE(slurp(w.at("new")), std::string("made\n"));
    }
    // Each alone, not together with others.
    void aSingleOneToo() {
        World w;
        const auto before = snapshot(w.share, Times::Files);
        w.content(ChangeKind::Created, "new", "made\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        auto report = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(report && report->complete());
        QVERIFY(review->undo(w.root.get(), report->id)->complete());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
    }
    void onlyPermissionsAreToldAsNotDone() {
        World w;
        writeFile(w.at("a"), "one\n", kOfTheDisk);
        w.claim(ChangeKind::Mode, "a").mode = 0600;
        auto review = w.review();
        auto set = w.freeze(*review);
        auto report = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(report);
        QVERIFY2(report->entries.at(0).outcome == Outcome::Failed, describe(*report).c_str());
        QVERIFY2(report->entries.at(0).reason.find("permissions stay as they are") != std::string::npos, describe(*report).c_str());
    }
    // Where the user set others after that, they are not the ones that the apply left.
    void theUsersOwnPermissionsAreAConflict() {
        World w;
        w.content(ChangeKind::Created, "new", "made\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        auto report = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(report && report->complete());
        QCOMPARE(::chmod(w.at("new").c_str(), 0600), 0);
        auto undone = review->undo(w.root.get(), report->id);
        QVERIFY(undone);
        QVERIFY2(undone->entries.at(0).outcome == Outcome::Conflict, describe(*undone).c_str());
    }
};

QTEST_GUILESS_MAIN(TestModelessDisk)
#include "test_modeless_disk.moc"
