// SPDX-License-Identifier: Apache-2.0
// What goes wrong in the middle of an apply, or comes between: by each file alone, and where many go together.
#include "tests/app/files/meddler.h"

#include <QtTest>

#include <sys/wait.h>
#include <sys/xattr.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

class TestApplyMishaps : public QObject {
    Q_OBJECT
private slots:
    // I10: a damaged object is no copy of what is about to go.
    void oldContentIsKeptAfreshWhereItsCopyIsDamaged() {
        for (const bool many : {false, true}) { // by themselves, and together
            World w;
            const std::vector<std::string> names = many ? std::vector<std::string>{"f", "g", "h"} : std::vector<std::string>{"f"};
            for (const auto& name : names) {
                writeFile(w.at(name), name + " as it was\n");
                w.content(ChangeKind::Modified, name, name + " of the guest\n");
            }
            const auto before = snapshot(w.share, Times::All);
            auto review = w.review();
            auto set = w.freeze(*review);
            VERIFY_OK(set);
            for (const auto& entry : set->entries) {
                QVERIFY(entry.baseKept);
                const std::string object = w.data + "/content/" + entry.base.content->hex();
                ::chmod(object.c_str(), 0600);
                std::ofstream(object) << "rotten";
            }
            auto applied = review->apply(w.root.get(), set->id, everything(*set));
            VERIFY_OK(applied);
            QVERIFY2(applied->complete(), describe(*applied).c_str());
            auto undone = review->undo(w.root.get(), applied->id);
            VERIFY_OK(undone);
            QVERIFY2(undone->complete(), describe(*undone).c_str());
            QVERIFY(same(snapshot(w.share, Times::All), before));
        }
    }

    // A tag that the user sets between the look and the swap is on the file that is about to go.
    void attributesSetAtTheLastMoment() {
        for (const char* step : {"exchange", "rename"}) {
            World w;
            writeFile(w.at("f"), "as it was\n");
            if (std::string_view(step) == "rename") {
                w.claim(ChangeKind::Deleted, "f");
            } else {
                w.content(ChangeKind::Modified, "f", "agent\n");
            }
            Meddler meddler;
            auto review = FileReview::open(w.data, &meddler);
            QVERIFY(review && (*review)->recover(w.opener()));
            auto set = w.freeze(**review);
            VERIFY_OK(set);
            bool tagged = false;
            meddler.step = step;
            meddler.action = [&] { tagged = ::setxattr(w.at("f").c_str(), "user.tag", "mine", 4, 0) == 0; };
            auto applied = (*review)->apply(w.root.get(), set->id, everything(*set));
            VERIFY_OK(applied);
            if (!tagged) {
                QSKIP("this file system has no extended attributes");
            }
            QVERIFY2(applied->entries.at(0).outcome == Outcome::Conflict, describe(*applied).c_str());
            QCOMPARE(attributesOf(w.at("f"))["user.tag"], std::string("mine"));
            QCOMPARE(slurp(w.at("f")), std::string("as it was\n"));
        }
    }

    // What was interrupted goes no further once something else was decided, and nothing of it is left lying about.
    void anInterruptedApplyGoesNoFurther() {
        World w;
        for (const char* name : {"f", "g", "h"}) {
            writeFile(w.at(name), "as it was\n");
            w.content(ChangeKind::Modified, name, "agent\n");
        }
        struct NoRoom : StepHook {
            bool full = false;
            int before(std::string_view name, std::string_view) override { return full && name == "journal.append" ? ENOSPC : 0; }
        } disk;
        const auto before = snapshot(w.share, Times::Files);
        auto review = FileReview::open(w.data, &disk);
        QVERIFY(review && (*review)->recover(w.opener()));
        auto set = w.freeze(**review);
        VERIFY_OK(set);
        disk.full = true;
        QVERIFY(!(*review)->apply(w.root.get(), set->id, everything(*set)));
        QVERIFY(same(snapshot(w.share, Times::Files), before)); // no temporaries: the disk may need the room
        QVERIFY(!(*review)->settle(w.root.get(), set->share));
        disk.full = false;
        QVERIFY((*review)->settle(w.root.get(), set->share));
        auto reports = (*review)->recover(w.opener());
        VERIFY_OK(reports);
        QVERIFY(reports->empty());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        auto applied = (*review)->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
    }

    // The last line is written and not flushed: the apply has not ended, whoever looks. The next start ends it and tells it,
    // or the next decision does.
    void anEndThatIsNotFlushedIsNone() {
        struct LastFlush : StepHook {
            int at = 0, fails = 0;
            int before(std::string_view name, std::string_view) override {
                return name == "journal.flush" && ++at == fails ? EIO : 0;
            }
        };
        int flushes = 0;
        for (const char* then : {"", "start", "undo", "undo is not flushed"}) {
            World w;
            for (const char* name : {"f", "g"}) {
                writeFile(w.at(name), "as it was\n");
                w.content(ChangeKind::Modified, name, "agent\n");
            }
            const auto before = snapshot(w.share, Times::All);
            LastFlush disk;
            auto review = w.review(&disk);
            auto set = w.freeze(*review);
            VERIFY_OK(set);
            const bool applyIsFlushed = std::string_view(then).empty() || std::string_view(then) == "undo is not flushed";
            disk.fails = applyIsFlushed ? 0 : flushes;
            auto applied = review->apply(w.root.get(), set->id, everything(*set));
            QCOMPARE(applied.has_value(), applyIsFlushed);
            flushes = disk.at;
            std::string id = review->applies()->front().id;
            if (!applyIsFlushed) {
                QVERIFY(!review->applies()->front().finished);
                QVERIFY2(applied.error().text().find("interrupted") != std::string::npos, applied.error().text().c_str());
            }
            if (std::string_view(then) == "start") {
                review.reset();
                review = w.review();
                auto reports = review->recover(w.opener());
                VERIFY_OK(reports);
                QVERIFY(reports->size() == 1 && reports->front().complete() && reports->front().id == id);
                QVERIFY(review->recover(w.opener())->empty());
            }
            if (std::string_view(then) == "undo is not flushed") {
                disk.at = 0;
                disk.fails = flushes;
                QVERIFY(!review->undo(w.root.get(), id));
                QVERIFY(!review->applies()->back().finished && review->applies()->back().undoes == id);
                auto reports = review->recover(w.opener());
                VERIFY_OK(reports);
                QVERIFY(reports->size() == 1 && reports->front().complete() && reports->front().undoes == id);
            } else {
                auto undone = review->undo(w.root.get(), id);
                VERIFY_OK(undone);
                QVERIFY2(undone->complete(), describe(*undone).c_str());
            }
            QVERIFY(review->applies()->front().finished);
            QVERIFY(same(snapshot(w.share, Times::All), before));
        }
    }

    // Saved anew between a crash and the start after it: it was never away.
    void aRemovalThatNeverHappenedIsNotTold() {
        World w;
        for (const char* name : {"f", "g"}) {
            writeFile(w.at(name), "as it was\n");
            w.claim(ChangeKind::Deleted, name);
        }
        FrozenSet set;
        {
            auto review = w.review();
            set = w.freeze(*review).value();
        }
        if (const pid_t child = ::fork(); child == 0) {
            Meddler dies;
            dies.step = "rename";
            dies.action = [] { ::_exit(0); };
            auto review = FileReview::open(w.data, &dies);
            (void)(*review)->apply(w.root.get(), set.id, everything(set));
            ::_exit(1);
        } else {
            int status = 0;
            QVERIFY(::waitpid(child, &status, 0) == child && status == 0);
        }
        writeFile(w.at("f.new"), "saved by an editor\n");
        fs::rename(w.at("f.new"), w.at("f"));
        auto review = w.review();
        auto reports = review->recover(w.opener());
        VERIFY_OK(reports);
        QCOMPARE(reports->size(), std::size_t{1});
        for (const auto& entry : reports->front().entries) {
            QVERIFY2(entry.outcome == (entry.path.text() == "f" ? Outcome::Conflict : Outcome::Applied),
                     describe(reports->front()).c_str());
        }
        QCOMPARE(slurp(w.at("f")), std::string("saved by an editor\n"));
        QVERIFY(!fs::exists(w.at("g")));
    }

    // One that cannot be done leaves the others to go together; each has its own outcome.
    void togetherEachHasItsOwnOutcome() {
        World w;
        for (int i = 0; i < 30; ++i) {
            const std::string name = "file " + std::to_string(100 + i);
            writeFile(w.at(name), name + "\n");
            if (i % 3 == 0) {
                w.claim(ChangeKind::Deleted, name);
            } else {
                w.content(ChangeKind::Modified, name, name + " changed\n");
            }
        }
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        writeFile(w.at("file 104"), "the user's\n");
        writeFile(w.at("file 109"), "the user's, too\n"); // of the deleted
        fs::remove(w.at("file 110"));
        const auto before = snapshot(w.share, Times::All);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        for (const auto& entry : applied->entries) {
            const std::string name = entry.path.text();
            const bool leftAlone = name == "file 104" || name == "file 109" || name == "file 110";
            QVERIFY2(entry.outcome == (leftAlone ? Outcome::Conflict : Outcome::Applied), describe(*applied).c_str());
            QVERIFY(leftAlone != entry.reason.empty());
        }
        QCOMPARE(slurp(w.at("file 104")), std::string("the user's\n"));
        QCOMPARE(slurp(w.at("file 109")), std::string("the user's, too\n"));
        QCOMPARE(slurp(w.at("file 101")), std::string("file 101 changed\n"));
        QVERIFY(!fs::exists(w.at("file 103")) && !fs::exists(w.at("file 110")));
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::All), before));
    }
};

QTEST_GUILESS_MAIN(TestApplyMishaps)
#include "test_apply_mishaps.moc"
