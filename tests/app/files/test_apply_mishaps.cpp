// SPDX-License-Identifier: Apache-2.0
// What goes wrong in the middle of an apply, or comes between: by each file alone, and where many go together.
#include "tests/app/files/meddler.h"

#include <QTest>

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

    // One that cannot be settled, and one that cannot be read, keep no other from being settled. They are told, kept, and block
    // no more than the folder that they are about.
    void oneThatCannotBeSettledKeepsNoOther() {
        World a, b, c;
        struct Interruption : StepHook {
            bool cut = false; // from the first swap on
            std::string stuck;
            int before(std::string_view name, std::string_view path) override {
                cut = cut || name == "exchange";
                const bool isStuck = !stuck.empty() && name == "unlink" && path.find(stuck) != std::string_view::npos;
                return (cut && (name == "journal.append" || name == "unlink")) || isStuck ? EIO : 0;
            }
        };
        std::vector<std::string> ids;
        const std::vector<std::pair<World*, std::string>> shares{{&a, "s1"}, {&b, "s2"}, {&c, "s3"}};
        for (const auto& [w, name] : shares) {
            writeFile(w->at("f"), "as it was\n");
            w->content(ChangeKind::Modified, "f", "agent\n");
            Interruption cut;
            auto review = a.review(&cut);
            auto set = review->freeze(w->root.get(), name, w->claims, w->guest);
            VERIFY_OK(set);
            QVERIFY(!review->apply(w->root.get(), set->id, everything(*set)));
            ids.push_back(review->applies()->back().id);
        }
        const std::string plan = a.data + "/applies/" + ids[1] + "/plan.json";
        const std::string sound = slurp(plan);
        std::ofstream(plan) << "rotten";
        const OpenShare opener = [&](const std::string& share) {
            return (share == "s1" ? a : share == "s2" ? b : c).opener()(share);
        };
        Interruption disk;
        disk.stuck = ids[0];
        auto review = a.review(&disk);
        auto reports = review->recover(opener);
        VERIFY_OK(reports);
        QCOMPARE(reports->size(), std::size_t{3});
        for (const auto& report : *reports) {
            QCOMPARE(report.complete(), report.id == ids[2]);
            QCOMPARE(report.unsettled.has_value(), report.id != ids[2]);
            if (report.unsettled) {
                QVERIFY(!report.unsettled->hint.empty());
                QVERIFY2(report.unsettled->hint.find(".carrel-tmp-" + report.id) != std::string::npos,
                         report.unsettled->hint.c_str());
            }
        }
        QCOMPARE(slurp(c.at("f")), std::string("agent\n"));
        QVERIFY(review->applies()->size() == 2);
        // Its own folder waits; another one does not.
        a.claims.clear();
        a.content(ChangeKind::Created, "g", "agent\n");
        auto set = review->freeze(a.root.get(), "s1", a.claims, a.guest);
        VERIFY_OK(set);
        auto refused = review->apply(a.root.get(), set->id, everything(*set));
        QVERIFY(!refused && !fs::exists(a.at("g")));
        c.claims.clear();
        c.content(ChangeKind::Created, "g", "agent\n");
        set = review->freeze(c.root.get(), "s3", c.claims, c.guest);
        VERIFY_OK(set);
        auto applied = review->apply(c.root.get(), set->id, everything(*set));
        QVERIFY(applied && applied->complete());
        // And the next start goes on with them.
        review.reset();
        std::ofstream(plan) << sound;
        review = a.review();
        reports = review->recover(opener);
        VERIFY_OK(reports);
        QCOMPARE(reports->size(), std::size_t{2});
        for (const auto& report : *reports) {
            QVERIFY2(report.complete() && !report.unsettled, describe(report).c_str());
        }
        for (const auto* w : {&a, &b}) {
            QCOMPARE(snapshot(w->share, Times::Files).size(), std::size_t{1});
            QCOMPARE(slurp(w->at("f")), std::string("agent\n"));
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
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt("rename", w, [&](FileReview& review) { (void)review.apply(w.root.get(), set.id, everything(set)); }));
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

    void aFolderIsNotToldToBeGoneWhereAnotherStands() {
        World w;
        fs::create_directory(w.at("d"));
        w.claim(ChangeKind::Deleted, "d", EntryType::Directory);
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt("rmdir", w, [&](FileReview& review) { (void)review.apply(w.root.get(), set.id, everything(set)); }));
        fs::create_directory(w.at("mine"));
        writeFile(w.at("mine/f"), "mine\n");
        fs::remove(w.at("d"));
        fs::rename(w.at("mine"), w.at("d"));
        auto review = w.review();
        auto reports = review->recover(w.opener());
        VERIFY_OK(reports);
        QVERIFY2(reports->front().entries.at(0).outcome == Outcome::Conflict, describe(reports->front()).c_str());
        QCOMPARE(slurp(w.at("d/f")), std::string("mine\n"));
    }

    // Two crashes, before the swap and after the temporary of it went; then the user saves the file anew. It was never
    // replaced, and if it were told so, the agent's version would be given up.
    void aReplacementThatNeverHappenedIsNotTold() {
        for (const bool creates : {false, true}) {
            World w;
            if (!creates) {
                writeFile(w.at("f"), "as it was\n");
            }
            w.content(creates ? ChangeKind::Created : ChangeKind::Modified, "f", "agent\n");
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt(creates ? "rename" : "exchange", w, [&](FileReview& review) {
                (void)review.apply(w.root.get(), set.id, everything(set));
            }));
            QVERIFY(diesAt("journal.append", w, [&](FileReview& review) { (void)review.recover(w.opener()); }));
            writeFile(w.at("f.new"), "saved by an editor\n"); // it may be given the number that the temporary had
            fs::rename(w.at("f.new"), w.at("f"));
            auto review = w.review();
            auto reports = review->recover(w.opener());
            VERIFY_OK(reports);
            QCOMPARE(reports->size(), std::size_t{1});
            QVERIFY2(reports->front().entries.at(0).outcome == Outcome::Conflict, describe(reports->front()).c_str());
            QCOMPARE(slurp(w.at("f")), std::string("saved by an editor\n"));
            QCOMPARE(snapshot(w.share, Times::Files).size(), std::size_t{1});
        }
    }

    // The user saves the file anew, under rights of its own, between the look and the change of the rights.
    void rightsOfAnotherFileAreNotChanged() {
        World w;
        writeFile(w.at("f"), "as it was\n");
        w.claim(ChangeKind::Mode, "f").mode = 0666;
        const FrozenSet set = frozen(w);
        Meddler meddler;
        auto review = w.review(&meddler);
        meddler.step = "journal.append";
        meddler.action = [&] {
            writeFile(w.at("f.new"), "a secret\n", 0600);
            fs::rename(w.at("f.new"), w.at("f"));
        };
        auto applied = review->apply(w.root.get(), set.id, everything(set));
        VERIFY_OK(applied);
        QVERIFY2(applied->entries.at(0).outcome == Outcome::Conflict, describe(*applied).c_str());
        struct stat st {};
        QVERIFY(::stat(w.at("f").c_str(), &st) == 0 && (st.st_mode & 0777) == 0600);
        QCOMPARE(slurp(w.at("f")), std::string("a secret\n"));
    }

    // Some program puts a file of its own into each new folder, also one that a crash left half made.
    void aHalfMadeFolderThatIsInUseIsKept() {
        for (const char* step : {"stage.attributes", "stage.flush", "journal.flush", "rename"}) {
            World w;
            w.claim(ChangeKind::Created, "d", EntryType::Directory);
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt(step, w, [&](FileReview& review) { (void)review.apply(w.root.get(), set.id, everything(set)); }));
            std::string temporary;
            for (const auto& item : fs::directory_iterator(w.share)) {
                temporary = item.path().string();
            }
            QVERIFY2(!temporary.empty(), step);
            writeFile(temporary + "/index", "somebody's\n");
            auto review = w.review();
            auto reports = review->recover(w.opener());
            VERIFY_OK(reports);
            QVERIFY(reports->size() == 1 && reports->front().complete());
            std::size_t kept = 0;
            for (const auto& item : fs::directory_iterator(w.share)) {
                kept += slurp(item.path() / "index") == "somebody's\n" ? 1 : 0;
                QVERIFY(!item.path().filename().string().starts_with(kTemporaryPrefix));
            }
            QCOMPARE(kept, std::size_t{1});
            QVERIFY(fs::is_directory(w.at("d")));
        }
    }

    // The journal rots after the swap: it no longer says that the temporary is the user's own file by now.
    void whatADamagedJournalForgetsIsKept_data() {
        QTest::addColumn<int>("line");
        QTest::newRow("began") << 0;
        QTest::newRow("staged") << 1;
    }
    void whatADamagedJournalForgetsIsKept() {
        QFETCH(int, line);
        World w;
        writeFile(w.at("f"), "as it was\n");
        w.content(ChangeKind::Modified, "f", "agent\n");
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt("unlink", w, [&](FileReview& review) { (void)review.apply(w.root.get(), set.id, everything(set)); }));
        QCOMPARE(slurp(w.at("f")), std::string("agent\n"));
        const std::string log = w.data + "/applies/" + w.review()->applies()->front().id + "/log";
        std::string text = slurp(log);
        const auto second = text.find('\n') + 1;
        text.at(20 + (line == 0 ? 0 : second)) ^= 1;
        std::ofstream(log, std::ios::trunc) << text;
        auto review = w.review();
        VERIFY_OK(review->recover(w.opener()));
        const auto now = snapshot(w.share, Times::Files);
        QVERIFY(std::any_of(now.begin(), now.end(), [](const auto& item) {
            return item.second.find("as it was\n") != std::string::npos && !item.first.starts_with(kTemporaryPrefix);
        }));
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

private:
    static FrozenSet frozen(World& w) {
        auto review = w.review();
        return w.freeze(*review).value();
    }
    // A child does it, and dies before the first step of that name.
    static bool diesAt(const char* step, World& w, const std::function<void(FileReview&)>& work) {
        if (const pid_t child = ::fork(); child == 0) {
            Meddler dies;
            dies.step = step;
            dies.action = [] { ::_exit(0); };
            auto review = w.review(&dies);
            work(*review);
            ::_exit(1);
        } else {
            int status = 0;
            return ::waitpid(child, &status, 0) == child && status == 0;
        }
    }
};

QTEST_GUILESS_MAIN(TestApplyMishaps)
#include "test_apply_mishaps.moc"
