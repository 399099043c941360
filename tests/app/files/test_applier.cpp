// SPDX-License-Identifier: Apache-2.0
#include "tests/app/files/meddler.h"

#include <QTest>

#include <sys/xattr.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

class TestApplier : public QObject {
    Q_OBJECT
private slots:
    // I4: looked at again at the moment of the move, for the link may be newer than the review.
    void aFolderTakesNoLinkOutWithIt() {
        World w;
        fs::create_directories(w.at("a/b/c"));
        w.renamed("a/b/c", "c", EntryType::Directory);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        QVERIFY(set->entries.at(0).conflict == ConflictKind::None);
        fs::create_symlink("../../x", w.at("a/b/c/link"));
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Conflict);
        QVERIFY(fs::is_symlink(w.at("a/b/c/link")) && !fs::exists(w.at("c")));
    }

    // I4, I12: what was frozen is what stands there afterwards, and undo gives back every byte, mode, time
    // and name.
    void appliesAndUndoesEverything() {
        World w;
        mixedSet(w);
        const auto before = snapshot(w.share, Times::All);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        QCOMPARE(set->leftOut.size(), 0U);
        for (const auto& entry : set->entries) {
            QVERIFY2(entry.conflict == ConflictKind::None,
                     (entry.path.text() + ": " + entry.conflictReason).c_str());
        }
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        const auto after = snapshot(w.share, Times::Files);
        QCOMPARE(slurp(w.at("docs/report.txt")), std::string("one\n2\nthree\nfour\n"));
        QVERIFY(!fs::exists(w.at("docs/old")));
        QVERIFY(!fs::exists(w.at("album")) && !fs::exists(w.at("photos/IMG_1.jpg")) &&
                !fs::exists(w.at("photos/IMG_2.jpg")));
        QCOMPARE(slurp(w.at("photos/hills.jpg")), std::string("edited"));
        QCOMPARE(slurp(w.at("albums/inner/a.txt")), std::string("edited in it\n"));
        QVERIFY(fs::is_directory(w.at("swap")) && fs::is_regular_file(w.at("tree")));
        QCOMPARE(fs::read_symlink(w.at("docs/link")).string(), std::string("run"));
        QCOMPARE(slurp(w.at("n\xc3\xa4u \xfe")), std::string("odd name\n"));
        struct stat st {};
        QVERIFY(::stat(w.at("docs/run").c_str(), &st) == 0 && (st.st_mode & 07777) == 0755);
        QVERIFY(::stat(w.at("new").c_str(), &st) == 0 && st.st_mtim.tv_sec == 1'700'000'000);
        const auto frozenTime = set->find(path("new/deep/file.csv"))->wanted.mtimeNs;
        QVERIFY(::stat(w.at("new/deep/file.csv").c_str(), &st) == 0);
        QCOMPARE(static_cast<std::int64_t>(st.st_mtim.tv_sec) * 1'000'000'000 + st.st_mtim.tv_nsec,
                 frozenTime);

        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::All), before));
        QVERIFY(!review->undo(w.root.get(), applied->id).has_value());

        // An undo is itself undone.
        auto again = review->undo(w.root.get(), undone->id);
        VERIFY_OK(again);
        QVERIFY2(again->complete(), describe(*again).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), after));
        auto list = review->applies();
        VERIFY_OK(list);
        QCOMPARE(list->size(), 3U);
        QCOMPARE(list->at(0).undoneBy, std::string());
        VERIFY_OK(review->collect());
        auto third = review->undo(w.root.get(), again->id);
        VERIFY_OK(third);
        QVERIFY2(third->complete(), describe(*third).c_str());
        QVERIFY(same(snapshot(w.share, Times::All), before));
    }

    // They become thousands, and none of them is read again before the next apply, nor when content is collected; its own
    // content is kept all the same.
    void whatHasEndedIsReadOnce() {
        if (::geteuid() == 0) {
            QSKIP("permissions are nothing to root");
        }
        World w;
        const auto applyOne = [&](FileReview& review, const std::string& name) {
            w.claims.clear();
            w.content(ChangeKind::Modified, name, "agent's " + name + "\n");
            auto set = w.freeze(review);
            auto applied = set ? review.apply(w.root.get(), set->id, everything(*set)) : Result<ApplyReport>(fail(set.error()));
            if (set) {
                (void)review.forget(set->id).has_value();
            }
            return applied;
        };
        const std::vector<std::string> names{"a", "b", "c"};
        for (const auto& name : names) {
            writeFile(w.at(name), "user's " + name + "\n");
        }
        std::string first;
        {
            auto review = w.review();
            auto applied = applyOne(*review, "a");
            QVERIFY(applied && applied->complete());
            first = applied->id;
        }
        auto review = w.review();
        VERIFY_OK(review->recover(w.opener()));
        auto second = applyOne(*review, "b");
        QVERIFY(second && second->complete());
        VERIFY_OK(review->collect());
        const auto permit = [&](mode_t mode) {
            for (const auto& id : {first, second->id}) {
                for (const auto& file : fs::directory_iterator(w.data + "/applies/" + id)) {
                    QVERIFY(::chmod(file.path().c_str(), mode) == 0);
                }
            }
        };
        permit(0);
        auto third = applyOne(*review, "c");
        VERIFY_OK(third);
        VERIFY_OK(review->collect());
        permit(0600);
        for (const auto& id : {first, second->id, third->id}) {
            auto undone = review->undo(w.root.get(), id);
            QVERIFY(undone && undone->complete());
        }
        for (const auto& name : names) {
            QCOMPARE(slurp(w.at(name)), "user's " + name + "\n");
        }
    }

    void appliesOnlyWhatIsChosen() {
        World w;
        mixedSet(w);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        const std::vector<Selected> one{{path("new/deep/file.csv"), IfFlagged::Leave}};
        auto applied = review->apply(w.root.get(), set->id, one);
        VERIFY_OK(applied);
        QCOMPARE(applied->entries.size(), 3U); // its new folders come along
        QVERIFY(applied->complete());
        QVERIFY(fs::exists(w.at("album")) && !fs::exists(w.at("new/shortcut")));
        QVERIFY(!review->apply(w.root.get(), set->id,
                               std::vector<Selected>{{path("no/such"), IfFlagged::Leave}}));
    }

    // I10: the user's own edit wins over both apply and undo.
    void baseChangedAfterTheReview_data() {
        QTest::addColumn<QString>("how");
        for (const char* how :
             {"content", "mode", "link", "folder", "parent link", "gone", "hard link", "open"}) {
            QTest::newRow(how) << how;
        }
    }
    void baseChangedAfterTheReview() {
        QFETCH(QString, how);
        World w;
        fs::create_directory(w.at("d"));
        fs::create_directory(w.base + "/outside");
        writeFile(w.base + "/outside/f", "outside\n");
        writeFile(w.at("d/f"), "base\n");
        writeFile(w.at("other"), "other base\n");
        w.content(ChangeKind::Modified, "d/f", "from the guest\n");
        w.content(ChangeKind::Modified, "other", "also\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        UniqueFd writer;
        if (how == "content") {
            writeFile(w.at("d/f"), "user\n");
        } else if (how == "mode") {
            ::chmod(w.at("d/f").c_str(), 0600);
        } else if (how == "link") {
            fs::remove(w.at("d/f"));
            fs::create_symlink("../other", w.at("d/f"));
        } else if (how == "folder") {
            fs::remove(w.at("d/f"));
            fs::create_directory(w.at("d/f"));
        } else if (how == "parent link") {
            fs::rename(w.at("d"), w.at("moved"));
            fs::create_directory_symlink("../outside", w.at("d"));
        } else if (how == "gone") {
            fs::remove(w.at("d/f"));
        } else if (how == "hard link") {
            fs::create_hard_link(w.at("d/f"), w.at("second"));
        } else if (how == "open") {
            writer.reset(::open(w.at("d/f").c_str(), O_WRONLY));
        }
        auto before = snapshot(w.base, Times::Files);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Applied); // `other`: one conflict stops nothing
        QVERIFY2(applied->entries.at(1).outcome == Outcome::Conflict, describe(*applied).c_str());
        QVERIFY(!applied->entries.at(1).reason.empty());
        auto after = snapshot(w.base, Times::Files);
        for (auto* map : {&before, &after}) {
            std::erase_if(*map, [](const auto& item) {
                return item.first.starts_with("data/") || item.first == "share/other";
            });
        }
        QVERIFY(same(after, before));
    }

    // The moment between the last look and the swap.
    void baseChangedUnderTheSwap() {
        World w;
        writeFile(w.at("f"), "base\n");
        writeFile(w.at("g"), "base g\n");
        w.content(ChangeKind::Modified, "f", "from the guest\n");
        w.claim(ChangeKind::Deleted, "g");
        Meddler hook;
        auto review = w.review(&hook);
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        hook.step = "exchange";
        hook.action = [&] { writeFile(w.at("f"), "user at the last moment\n"); };
        const std::vector<Selected> f{{path("f"), IfFlagged::Leave}};
        auto applied = review->apply(w.root.get(), set->id, f);
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Conflict);
        QCOMPARE(slurp(w.at("f")), std::string("user at the last moment\n"));

        hook.step = "rename"; // of the deletion, to the temporary name
        hook.action = [&] { writeFile(w.at("g"), "user's g\n"); };
        const std::vector<Selected> g{{path("g"), IfFlagged::Leave}};
        applied = review->apply(w.root.get(), set->id, g);
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Conflict);
        QCOMPARE(slurp(w.at("g")), std::string("user's g\n"));
        QCOMPARE(snapshot(w.share, Times::Files).size(), 2U); // no temporaries
    }

    void targetAppeared() {
        World w;
        w.content(ChangeKind::Created, "n", "guest\n");
        w.claim(ChangeKind::Created, "dir", EntryType::Directory);
        Meddler hook;
        auto review = w.review(&hook);
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        hook.step = "journal.flush"; // after the look, before the rename
        hook.action = [&] {
            writeFile(w.at("dir"), "user\n");
            writeFile(w.at("n"), "user\n");
        };
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Conflict);
        QVERIFY(applied->entries.at(1).outcome == Outcome::Conflict);
        QCOMPARE(slurp(w.at("n")), std::string("user\n"));
        QCOMPARE(snapshot(w.share, Times::Files).size(), 2U);
    }

    void folderWithUnlistedFilesStays() {
        World w;
        fs::create_directory(w.at("d"));
        writeFile(w.at("d/listed"), "x");
        writeFile(w.at("d/.env"), "hidden from the guest");
        w.claim(ChangeKind::Deleted, "d/listed");
        w.claim(ChangeKind::Deleted, "d", EntryType::Directory);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(1).outcome == Outcome::Conflict);
        QCOMPARE(slurp(w.at("d/.env")), std::string("hidden from the guest"));
        QVERIFY(!fs::exists(w.at("d/listed")));
    }

    void diskFullLeavesTheFile_data() {
        QTest::addColumn<QString>("step");
        for (const char* step :
             {"stage.create", "stage.write", "stage.attributes", "stage.flush", "store.write", "store.flush",
              "journal.append", "journal.flush", "journal.mkdir", "journal.create"}) {
            QTest::newRow(step) << step;
        }
    }
    void diskFullLeavesTheFile() {
        QFETCH(QString, step);
        World w;
        writeFile(w.at("f"), std::string("base\0", 5)); // not text: its bytes are kept at apply time only
        w.content(ChangeKind::Modified, "f", "guest\n");
        Meddler hook;
        auto review = w.review(&hook);
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        fs::remove(w.data + "/content/" +
                   set->entries.at(0).base.content->hex()); // so apply must keep it itself
        const auto before = snapshot(w.share, Times::Files);
        hook.step = step.toStdString();
        hook.error = ENOSPC;
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(hook.step.empty());
        QVERIFY(!applied || !applied->complete());
        hook.error = 0;
        if (!applied) { // the journal itself could not be written: settled at the next start
            review.reset();
            review = w.review();
            auto recovered = review->recover(w.opener());
            VERIFY_OK(recovered);
            if (!recovered->empty()) {
                QVERIFY(recovered->at(0).complete());
                QCOMPARE(slurp(w.at("f")), std::string("guest\n"));
                return;
            }
        }
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
    }

    void undoAfterALaterEditConflicts() {
        World w;
        writeFile(w.at("a"), "base a\n");
        writeFile(w.at("b"), "base b\n");
        w.content(ChangeKind::Modified, "a", "guest a\n");
        w.content(ChangeKind::Modified, "b", "guest b\n");
        w.content(ChangeKind::Created, "c", "guest c\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        writeFile(w.at("b"), "user's later edit\n");
        writeFile(w.at("c"), "user's later edit of c\n");
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY(!undone->complete());
        QCOMPARE(slurp(w.at("a")), std::string("base a\n"));
        QCOMPARE(slurp(w.at("b")), std::string("user's later edit\n"));
        QCOMPARE(slurp(w.at("c")), std::string("user's later edit of c\n"));
    }

    // What conflicted is asked for again, when the user has made room; what was taken back is not touched again.
    void undoOfWhatRemains() {
        World w;
        writeFile(w.at("a"), "base a\n");
        writeFile(w.at("b"), "base b\n");
        fs::create_directory(w.at("d"));
        writeFile(w.at("d/old"), "base\n");
        w.content(ChangeKind::Modified, "a", "guest a\n");
        w.content(ChangeKind::Modified, "b", "guest b\n");
        ChangeEntry& both = w.renamed("d/old", "new"); // two operations, of which one will be possible
        both.contentChanged = true;
        both.size = 6;
        w.guest.contents["new"] = "edited";
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        const auto before = snapshot(w.share, Times::Files);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->complete());
        const auto after = snapshot(w.share, Times::Files);

        const std::string guestB = slurp(w.at("b"));
        const auto theirTime = fs::last_write_time(w.at("b"));
        writeFile(w.at("b"), "user's\n");
        writeFile(w.at("new"), "user's\n");
        auto first = review->undo(w.root.get(), applied->id);
        VERIFY_OK(first);
        QVERIFY(!first->complete() && first->changedAnything());
        QCOMPARE(slurp(w.at("a")), std::string("base a\n"));
        QCOMPARE(slurp(w.at("d/old")), std::string("base\n"));
        auto list = review->applies();
        QVERIFY(list->at(0).partlyUndone && list->at(0).undoneBy.empty());

        writeFile(w.at("a"), "edited since\n"); // not the second undo's business
        auto second = review->undo(w.root.get(), applied->id);
        VERIFY_OK(second);
        QCOMPARE(second->entries.size(), 2U);
        QVERIFY(!second->changedAnything()); // still the user's
        writeFile(w.at("a"), "base a\n");
        writeFile(w.at("b"), guestB);
        fs::last_write_time(w.at("b"), theirTime);
        writeFile(w.at("new"), "edited");
        auto third = review->undo(w.root.get(), applied->id);
        VERIFY_OK(third);
        QVERIFY2(third->complete(), describe(*third).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        QVERIFY(!review->undo(w.root.get(), applied->id));
        list = review->applies();
        QVERIFY(!list->at(0).partlyUndone);
        QCOMPARE(list->at(0).undoneBy, third->id);

        // The first undo taken back: what it took back stands again, and only that can be undone again.
        auto redone = review->undo(w.root.get(), first->id);
        VERIFY_OK(redone);
        QVERIFY2(redone->complete(), describe(*redone).c_str());
        QCOMPARE(slurp(w.at("a")), std::string("guest a\n"));
        QCOMPARE(slurp(w.at("b")), std::string("base b\n"));
        QVERIFY(review->applies()->at(0).partlyUndone);
        VERIFY_OK(review->undo(w.root.get(), third->id));
        QVERIFY(slurp(w.at("new")) == "edited" && !fs::exists(w.at("d/old")) && slurp(w.at("b")) == guestB);
        auto all = review->undo(w.root.get(), applied->id);
        VERIFY_OK(all);
        QVERIFY2(all->complete(), describe(*all).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
    }

    void attributesAreKept() {
        World w;
        writeFile(w.at("f"), "base\n");
        if (::setxattr(w.at("f").c_str(), "user.tag", "red", 3, 0) != 0) {
            QSKIP("this file system has no user attributes");
        }
        w.content(ChangeKind::Modified, "f", "guest\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->complete());
        char value[8] = {};
        QCOMPARE(::getxattr(w.at("f").c_str(), "user.tag", value, sizeof value), ssize_t{3});
        w.claims.clear();
        w.claim(ChangeKind::Deleted, "f");
        set = w.freeze(*review);
        VERIFY_OK(set);
        applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        VERIFY_OK(review->undo(w.root.get(), applied->id));
        QCOMPARE(::getxattr(w.at("f").c_str(), "user.tag", value, sizeof value), ssize_t{3});
    }

    void damagedContentIsNeverApplied() {
        World w;
        writeFile(w.at("f"), "base\n");
        w.content(ChangeKind::Modified, "f", "guest\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        const std::string object = w.data + "/content/" + set->entries.at(0).wanted.content->hex();
        ::chmod(object.c_str(), 0600);
        std::ofstream(object) << "Guest\n";
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY(applied->entries.at(0).outcome == Outcome::Failed);
        QCOMPARE(slurp(w.at("f")), std::string("base\n"));
        QCOMPARE(snapshot(w.share, Times::Files).size(), 1U);
    }

    void renamesInAChainAndOverAnother() {
        World w;
        writeFile(w.at("a"), "A\n");
        writeFile(w.at("b"), "B\n");
        writeFile(w.at("x"), "X\n");
        writeFile(w.at("y"), "Y\n");
        w.renamed("b", "c");
        w.renamed("a", "b");
        w.content(ChangeKind::Created, "a", "new A\n").base.reset();
        w.renamed("x", "y");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        QVERIFY(set->find(path("b"))->conflict == ConflictKind::None);
        QVERIFY(set->find(path("y"))->conflict == ConflictKind::Appeared);
        auto selection = everything(*set);
        for (auto& one : selection) {
            one.ifFlagged = IfFlagged::Replace; // the user has seen that y is replaced
        }
        const auto before = snapshot(w.share, Times::All);
        auto applied = review->apply(w.root.get(), set->id, selection);
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        QCOMPARE(slurp(w.at("a")), std::string("new A\n"));
        QCOMPARE(slurp(w.at("b")), std::string("A\n"));
        QCOMPARE(slurp(w.at("c")), std::string("B\n"));
        QCOMPARE(slurp(w.at("y")), std::string("X\n"));
        QVERIFY(!fs::exists(w.at("x")));
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::All), before));
    }
};

QTEST_GUILESS_MAIN(TestApplier)
#include "test_applier.moc"
