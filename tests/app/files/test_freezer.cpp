// SPDX-License-Identifier: Apache-2.0
#include "tests/app/files/files_world.h"

#include "app/files/folder_names.h"

#include <QTest>

#include <algorithm>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

class TestFreezer : public QObject {
    Q_OBJECT
private slots:
    void isStoredAndNamedByItsContent() {
        World w;
        mixedSet(w);
        std::string id;
        {
            auto review = w.review();
            auto set = w.freeze(*review);
            QVERIFY(set);
            id = set->id;
            auto again = w.freeze(*review);
            QVERIFY(again && again->id == id); // nothing changed, so it is the same decision
        }
        auto review = w.review(); // after a restart
        auto set = review->set(id);
        QVERIFY(set);
        QVERIFY(set->entries.size() == w.claims.size());
        QVERIFY(frozenSetFrom(toCanonical(*set), id)->entries == set->entries);
        const auto* report = set->find(path("docs/report.txt"));
        QVERIFY(report->text && report->counted && report->linesAdded == 2 && report->linesRemoved == 1);
        // I12: the diff is of the frozen copies, whatever the folder holds by now.
        writeFile(w.at("docs/report.txt"), "other\n");
        auto diff = review->diff(*report);
        QVERIFY(diff && diff->available);
        QCOMPARE(diff->unified, std::string("@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n"));
        // Altered on disk, it is refused.
        std::string text = slurp(w.data + "/sets/" + id + ".json");
        text[text.find("four", 0) == std::string::npos ? text.size() / 2 : 0] ^= 1;
        std::ofstream(w.data + "/sets/" + id + ".json") << text;
        QVERIFY(!review->set(id));
        QVERIFY(!review->set("../../etc/passwd"));
    }

    // An apply that the guest was not told of, or a user who did the same: nothing to decide, and no conflict.
    void dropsRenamesThatHappened() {
        World w;
        writeFile(w.at("letter"), "dear");
        fs::create_directory(w.at("album"));
        w.renamed("letter", "letter 2");
        w.renamed("album", "albums", EntryType::Directory);
        writeFile(w.at("other"), "o");
        w.renamed("other", "another");
        fs::rename(w.at("letter"), w.at("letter 2"));
        fs::rename(w.at("album"), w.at("albums"));
        fs::remove(w.at("other"));
        writeFile(w.at("another"), "another"); // not the one that was renamed
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set.has_value());
        QCOMPARE(set->entries.size(), 1U);
        QCOMPARE(set->entries[0].path.text(), std::string("another"));
        QVERIFY(set->entries[0].conflict != ConflictKind::None);
        QCOMPARE(set->leftOut.size(), 2U);
        for (const auto& item : set->leftOut) {
            QVERIFY(item.why == LeftOutWhy::AlreadySo);
        }
    }

    // What the viewer compares is what stood there then, also where it is too large for a comparison of bytes.
    void theBaseOfADocumentIsKept() {
        World w;
        const std::string large((2U << 20U) + 1, 'x');
        for (const char* name : {"paper.PDF", "noise.bin"}) {
            writeFile(w.at(name), large);
            w.content(ChangeKind::Modified, name, "new");
        }
        auto review = w.review();
        const auto set = w.freeze(*review);
        QVERIFY(set.has_value());
        QVERIFY(set->find(path("paper.PDF"))->baseKept);
        QVERIFY(!set->find(path("noise.bin"))->baseKept);
        QCOMPARE(review->store().read(*set->find(path("paper.PDF"))->base.content, large.size())->size(), large.size());
    }

    // I4. A link that is harmless three folders down leads out of the share from its top.
    void aFolderTakesNoLinkOutWithIt() {
        World w;
        fs::create_directories(w.at("a/b/c/d"));
        fs::create_symlink("../../../x", w.at("a/b/c/link"));
        fs::create_symlink("d", w.at("a/b/c/near"));
        fs::create_directories(w.at("e/f"));
        fs::create_symlink("../g", w.at("e/f/link"));
        fs::create_symlink("/etc", w.at("e/f/the user's own"));
        w.renamed("a/b/c", "c", EntryType::Directory);
        w.renamed("e/f", "h", EntryType::Directory);
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set.has_value());
        QVERIFY(set->find(path("c"))->conflict == ConflictKind::LinkOutside);
        QVERIFY(set->find(path("h"))->conflict == ConflictKind::None);
    }

    // A report may move a hundred thousand folders up, and each is looked through for links.
    void allFoldersThatMoveUpShareOneBudget() {
        World w;
        for (const char* name : {"1", "2", "3"}) {
            fs::create_directories(w.at("deep/" + std::string(name)));
            for (char file = 'a'; file < 'a' + 10; ++file) {
                writeFile(w.at("deep/" + std::string(name) + "/" + file), "x");
            }
            w.renamed("deep/" + std::string(name), name, EntryType::Directory);
        }
        auto review = w.review();
        FreezeLimits limits;
        limits.movedEntries = 25;
        auto set = review->freeze(w.root.get(), "s1", w.claims, w.guest, limits);
        QVERIFY(set.has_value());
        QVERIFY(set->find(path("1"))->conflict == ConflictKind::None);
        QVERIFY(set->find(path("2"))->conflict == ConflictKind::None);
        QVERIFY(set->find(path("3"))->conflict == ConflictKind::LinkOutside);
        QVERIFY(set->find(path("3"))->conflictReason.find("too many entries") != std::string::npos);
        set = w.freeze(*review);
        QVERIFY(set && set->find(path("3"))->conflict == ConflictKind::None);
    }

    // Nor is one thing looked at over and over because a report sends it everywhere.
    void oneThingGoesToOnePlace() {
        World w;
        fs::create_directories(w.at("deep/folder"));
        writeFile(w.at("deep/folder/f"), "f");
        writeFile(w.at("file"), "f");
        w.renamed("file", "file 1");
        w.renamed("file", "file 2");
        w.renamed("deep/folder", "folder 1", EntryType::Directory);
        w.renamed("deep/folder", "folder 2", EntryType::Directory);
        for (const char* name : {"folder 1/f", "folder 2/f"}) {
            w.content(ChangeKind::Modified, name, "edited").base = w.versionOf("deep/folder/f");
        }
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set.has_value());
        for (const char* name : {"file 1", "file 2", "folder 1", "folder 2"}) {
            const FrozenEntry* entry = set->find(path(name));
            QVERIFY(entry != nullptr && entry->conflict == ConflictKind::Refused);
            QVERIFY(entry->base.kind == NodeKind::Absent); // nobody looked
        }
        QVERIFY(set->find(path("folder 2/f"))->base.kind == NodeKind::Absent);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied && !applied->changedAnything());
    }

    // A folder with a file's permissions cannot be entered by its owner.
    void whatIsNoFileIsNotTakenForOne() {
        World w;
        fs::create_directories(w.at("folder/in it"));
        fs::create_directory(w.at("other"));
        writeFile(w.at("file"), "f");
        w.renamed("folder", "moved");
        w.claim(ChangeKind::Mode, "other");
        w.renamed("file", "folder now", EntryType::Directory);
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set.has_value());
        QCOMPARE(set->entries.size(), 3U);
        for (const auto& entry : set->entries) {
            QVERIFY2(entry.conflict == ConflictKind::Refused, entry.path.text().c_str());
        }
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied.has_value());
        QVERIFY(fs::exists(w.at("folder/in it")) && fs::is_directory(w.at("other")) && fs::is_regular_file(w.at("file")));
        QCOMPARE(fs::status(w.at("other")).permissions() & fs::perms::owner_all, fs::perms::owner_all);
    }

    void dropsWhatIsAlreadySo() {
        World w;
        writeFile(w.at("same"), "text\n");
        w.content(ChangeKind::Modified, "same", "text\n");
        w.content(ChangeKind::Created, "both", "both\n");
        writeFile(w.at("both"), "both\n");
        w.claim(ChangeKind::Deleted, "gone");
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.empty() && set->leftOut.size() == 3);
        for (const auto& item : set->leftOut) {
            QVERIFY(item.why == LeftOutWhy::AlreadySo);
        }
    }

    void findsConflicts() {
        World w;
        writeFile(w.at("changed"), "v1\n");
        writeFile(w.at("touched"), "v1\n");
        writeFile(w.at("gone"), "v1\n");
        writeFile(w.at("hard"), "v1\n");
        fs::create_hard_link(w.at("hard"), w.at("hard2"));
        ::mkfifo(w.at("fifo").c_str(), 0600);
        w.content(ChangeKind::Modified, "changed", "v2\n");
        w.content(ChangeKind::Modified, "touched", "v2\n").baseSha256 = Sha256::of("v1\n").hex();
        w.content(ChangeKind::Modified, "gone", "v2\n");
        w.content(ChangeKind::Modified, "hard", "v2\n");
        w.content(ChangeKind::Created, "appeared", "guest\n");
        w.content(ChangeKind::Modified, "fifo", "v2\n");
        w.content(ChangeKind::Created, ".carrel-tmp-x", "v2\n");
        w.content(ChangeKind::Created, ".CARREL-Tmp-y", "v2\n");
        w.link("out", "/etc/passwd");
        w.link("up", "../x");
        w.link("sly", "d/../../x");
        writeFile(w.at("changed"), "v1 edited\n");
        writeFile(w.at("touched"), "v1\n", 0644, 1'650'000'000);
        fs::remove(w.at("gone"));
        writeFile(w.at("appeared"), "host\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set);
        const auto kind = [&](const char* name) { return set->find(path(name))->conflict; };
        QVERIFY(kind("changed") == ConflictKind::Changed);
        QVERIFY(kind("touched") == ConflictKind::None);
        QVERIFY(kind("gone") == ConflictKind::Gone);
        QVERIFY(kind("hard") == ConflictKind::HardLinked);
        QVERIFY(kind("appeared") == ConflictKind::Appeared);
        QVERIFY(kind("fifo") == ConflictKind::Foreign);
        QVERIFY(kind(".carrel-tmp-x") == ConflictKind::Refused);
        QVERIFY(kind(".CARREL-Tmp-y") == ConflictKind::Refused);
        QVERIFY(kind("out") == ConflictKind::LinkOutside);
        QVERIFY(kind("up") == ConflictKind::LinkOutside);
        QVERIFY(kind("sly") == ConflictKind::LinkOutside);
    }

    void neverTakesSetuid() {
        World w;
        w.content(ChangeKind::Created, "tool", "x").mode = 06755;
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.at(0).wanted.mode == 0755 && set->entries.at(0).risk == Risk::High);
    }

    void leavesOutWhatDoesNotArrive() {
        World w;
        w.content(ChangeKind::Created, "moving", "x");
        w.content(ChangeKind::Created, "short", "x").size = 5;
        w.content(ChangeKind::Created, "long", "xyz").size = 1;
        w.content(ChangeKind::Created, "broken", "x");
        w.content(ChangeKind::Created, "good", "x");
        w.content(ChangeKind::Created, "huge", "x").size = std::uint64_t{1} << 60U;
        w.guest.failures["moving"] = ErrorCode::Conflict;
        w.guest.failures["broken"] = ErrorCode::Unavailable;
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.size() == 1 && set->leftOut.size() == 5);
        w.guest.failures["moving"] = ErrorCode::Cancelled;
        QVERIFY(w.freeze(*review).error().code == ErrorCode::Cancelled);
    }

    // What is sent short takes up the room that it takes, and what no review holds is not kept.
    void whatDoesNotArriveTakesNoRoom() {
        World w;
        w.content(ChangeKind::Created, "a", "abc").size = 4;
        w.content(ChangeKind::Created, "b", "wxyz");
        auto review = w.review();
        FreezeLimits limits;
        limits.setBytes = 6;
        auto set = review->freeze(w.root.get(), "s1", w.claims, w.guest, limits);
        QVERIFY(set && set->entries.empty() && set->leftOut.size() == 2);
        QVERIFY(set->leftOut[0].why == LeftOutWhy::Moving && set->leftOut[1].why == LeftOutWhy::TooLarge);
        QCOMPARE(review->collect().value(), std::uint64_t{0});
        // Nor by a freeze that comes to nothing in the end.
        World other;
        fs::create_directory(other.at("a"));
        writeFile(other.at("a/f"), "base\n");
        other.renamed("a", "b", EntryType::Directory);
        other.content(ChangeKind::Created, "b/f", "agent's").base.reset();
        other.claim(ChangeKind::Deleted, "a/f");
        auto second = other.review();
        QVERIFY(!other.freeze(*second));
        QCOMPARE(second->collect().value(), std::uint64_t{0});
    }

    // One folder's new name, told once, would stand in each of a hundred thousand entries.
    void longNamesAreCountedAsTheSetHoldsThem() {
        const std::string longName = std::string(200, 'n');
        for (const bool deleted : {false, true}) {
            World w;
            fs::create_directory(w.at("a"));
            w.renamed("a", longName, EntryType::Directory);
            for (int i = 0; i < 20; ++i) {
                const std::string old = "a/" + std::to_string(i);
                writeFile(w.at(old), "x");
                if (deleted) {
                    w.claim(ChangeKind::Deleted, old);
                } else {
                    w.renamed(old, "x" + std::to_string(i));
                }
            }
            auto review = w.review();
            FreezeLimits limits;
            limits.nameBytes = 2000;
            const auto refused = review->freeze(w.root.get(), "s1", w.claims, w.guest, limits);
            QVERIFY(!refused && refused.error().code == ErrorCode::LimitExceeded);
            limits.nameBytes = 10'000;
            QVERIFY(review->freeze(w.root.get(), "s1", w.claims, w.guest, limits));
        }
        // The other way round: what is renamed in a folder that is renamed.
        World w;
        w.renamed(longName, "b", EntryType::Directory);
        for (int i = 0; i < 20; ++i) {
            w.renamed("b/" + std::to_string(i), "b/y" + std::to_string(i), EntryType::Directory);
        }
        auto review = w.review();
        FreezeLimits limits;
        limits.nameBytes = 2000;
        QVERIFY(review->freeze(w.root.get(), "s1", w.claims, w.guest, limits).error().code == ErrorCode::LimitExceeded);
    }

    // One that could not be read again would stand in the way of every other.
    void aSetThatCannotBeReadAgainIsNotWritten() {
        World w;
        w.content(ChangeKind::Created, "a", "abc");
        auto review = w.review();
        FreezeLimits limits;
        limits.setText = 100;
        const auto refused = review->freeze(w.root.get(), "s1", w.claims, w.guest, limits);
        QVERIFY(!refused && refused.error().code == ErrorCode::LimitExceeded);
        QVERIFY(review->sets()->empty());
        QCOMPARE(review->collect().value(), std::uint64_t{0});
    }

    // A folder of the user's is there, which the agent never saw: also if it is empty, it is not made into a file unasked.
    void whatIsCreatedOverAnEmptyFolderIsFlagged() {
        World w;
        for (const char* name : {"file", "link", "folder"}) {
            fs::create_directory(w.at(name));
        }
        w.content(ChangeKind::Created, "file", "agent").base.reset();
        w.link("link", "file").base.reset();
        w.claim(ChangeKind::Created, "known", EntryType::Directory).base.reset();
        fs::create_directory(w.at("seen"));
        w.content(ChangeKind::Created, "seen", "agent"); // the folder went in the guest
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.size() == 4);
        for (const auto& entry : set->entries) {
            const bool appeared = entry.path.text() == "file" || entry.path.text() == "link";
            QVERIFY2(entry.conflict == (appeared ? ConflictKind::Appeared : ConflictKind::None), entry.path.text().c_str());
        }
        auto report = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(report && fs::is_directory(w.at("file")) && fs::is_directory(w.at("link")));
    }

    void refusesNonsense() {
        World w;
        w.content(ChangeKind::Created, "a", "x");
        w.content(ChangeKind::Created, "a", "x");
        auto review = w.review();
        QVERIFY(w.freeze(*review).error().code == ErrorCode::Malformed);
        FreezeLimits limits;
        limits.entries = 1;
        QVERIFY(review->freeze(w.root.get(), "s", w.claims, w.guest, limits).error().code ==
                ErrorCode::LimitExceeded);
        QVERIFY(!FileReview::open(w.data)); // one engine per agent
    }

    void oneThingIsToldByOneName() {
        World w;
        fs::create_directory(w.at("a"));
        writeFile(w.at("a/f"), "base\n");
        w.renamed("a", "b", EntryType::Directory);
        w.content(ChangeKind::Modified, "b/f", "agent\n").base = w.versionOf("a/f");
        w.claim(ChangeKind::Deleted, "a/f");
        auto review = w.review();
        QVERIFY(w.freeze(*review).error().code == ErrorCode::Malformed);
    }

    // Auto mode takes in what is of normal risk: of what cannot be looked at nobody knows that.
    void aDamagedCopyHidesNoRisk() {
        World w;
        w.content(ChangeKind::Created, "harmless", "#!/bin/sh\necho hello\n").base.reset();
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.at(0).risk == Risk::High);
        const std::string object = w.data + "/content/" + set->entries.at(0).wanted.content->hex();
        ::chmod(object.c_str(), 0600);
        std::ofstream(object) << "rotten";
        set = w.freeze(*review);
        QVERIFY(set && set->entries.at(0).risk == Risk::High);
        QVERIFY(review->store().openVerified(*set->entries.at(0).wanted.content)); // and is mended
    }

    void namesCaseTwins() {
        World w;
        writeFile(w.at("Readme.txt"), "x");
        w.content(ChangeKind::Created, "README.txt", "y");
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.at(0).risk == Risk::High);
    }

    // Also where what is in a new folder comes between two names, and where a name is there in several spellings.
    void namesCaseTwinsOfWhatIsNew() {
        World w;
        w.claim(ChangeKind::Created, "Notes", EntryType::Directory);
        w.content(ChangeKind::Created, "Notes/f", "x");
        w.claim(ChangeKind::Created, "alone", EntryType::Directory);
        w.content(ChangeKind::Created, "alone/notes", "x");
        w.claim(ChangeKind::Created, "notes", EntryType::Directory);
        w.claim(ChangeKind::Created, "notes/f", EntryType::Directory);
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set && set->entries.size() == 6);
        for (const auto& entry : set->entries) {
            QVERIFY2((entry.risk == Risk::High) == (entry.path.text() == "notes"), entry.path.text().c_str());
        }
    }

    // However many names a review adds to it.
    void eachFolderIsReadOnce() {
        std::map<std::string, int> read;
        FolderNames names([&](const SharePath& folder) {
            ++read[folder.text()];
            return std::vector<std::string>{"Here", "here", "other"};
        });
        std::vector<std::string> sorted;
        for (int i = 0; i < 300; ++i) {
            const std::string folder = "p/" + std::to_string(i);
            sorted.insert(sorted.end(), {folder, folder + "-", folder + "/f", folder + "/g", "q" + std::to_string(i)});
        }
        std::sort(sorted.begin(), sorted.end());
        for (const auto& each : sorted) {
            QVERIFY(!names.addAndFindTwin(path(each)));
        }
        QCOMPARE(read.size(), std::size_t{302});
        QVERIFY(std::all_of(read.begin(), read.end(), [](const auto& folder) { return folder.second == 1; }));
        for (const char* twin : {"z/Other", "z/HERE", "z/Here", "z/here", "z/OTHER"}) {
            QVERIFY2(names.addAndFindTwin(path(twin)), twin);
        }
        QVERIFY(!names.addAndFindTwin(path("z/new")) && !names.addAndFindTwin(path("z/new")));
    }
};

QTEST_GUILESS_MAIN(TestFreezer)
#include "test_freezer.moc"
