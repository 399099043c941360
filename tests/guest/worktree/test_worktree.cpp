// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/file_time.h"
#include "guest/worktree/sha256.h"
#include "tests/guest/worktree/worktree_fixture.h"

#include <random>

using namespace carrel;
using namespace carrel::worktree;

class TestWorktree : public QObject {
    Q_OBJECT

private slots:
    void hashIsTheStandards() {
        Sha256 hash;
        hash.update(asBytes("abc"));
        QCOMPARE(hash.hex(), std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        Sha256 million;
        for (int i = 0; i < 1000; ++i) {
            million.update(asBytes(std::string(1000, 'a')));
        }
        QCOMPARE(million.hex(),
                 std::string("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    }

    void theHostIsReadAndNeverWritten() {
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto before = dumpReal(f.host);
        QCOMPARE(f.cat("a"), std::string("one"));
        QCOMPARE(f.put("a", "two"), 0);
        QCOMPARE(f.put("b", "new"), 0);
        QCOMPARE(f.cat("a"), std::string("two"));
        QCOMPARE(dumpReal(f.host), before);
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{2});
        QVERIFY(list[0].kind == ChangeKind::Modified);
        QVERIFY(list[0].base && list[0].base->size == 3);
        QVERIFY(list[1].kind == ChangeKind::Created);
    }

    void readOnlyRefusesEveryChange() {
        Fixture f;
        writeFile(f.host / "a", "one");
        f.access = Access::ReadOnly;
        f.open();
        const auto node = f.walk("a")->node;
        QCOMPARE(f.tree->write(node, 0, asBytes("x")).error(), EROFS);
        QCOMPARE(f.tree->setattr(node, {}).error(), EROFS);
        QCOMPARE(f.tree->create(kRoot, "b", 0644, {}).error(), EROFS);
        QCOMPARE(f.tree->unlink(kRoot, "a").error(), EROFS);
        QCOMPARE(f.tree->rename(kRoot, "a", kRoot, "b", Replace::Yes).error(), EROFS);
        QCOMPARE(f.cat("a"), std::string("one"));
    }

    // The case that overlayfs loses (DECISION.md).
    void aWriteAfterSettleIsANewChange() {
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 3, asBytes(" two")));
        const auto refs = f.refs();
        applyTo(f.host, f);
        auto staged = f.walk("a")->attr;
        const timespec times[2] = {staged.st_mtim, staged.st_mtim};
        ::utimensat(AT_FDCWD, (f.host / "a").c_str(), times, 0);
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.changes().size(), std::size_t{0});
        QCOMPARE(f.walk("a")->node, node); // open descriptors stay
        QVERIFY(f.tree->write(node, 7, asBytes(" late")));
        QCOMPARE(f.cat("a"), std::string("one two late"));
        QCOMPARE(readFile(f.host / "a"), std::string("one two"));
        QCOMPARE(f.changes().size(), std::size_t{1});
    }

    // Applied and undone: what the host has no more must not go on showing.
    void settledFoldersGoWithTheHosts() {
        Fixture f;
        fs::create_directory(f.host / "there");
        const auto before = f.dump();
        const auto folder = f.tree->mkdir(kRoot, "made", 0755, {});
        QVERIFY(folder && f.tree->mkdir(folder->node, "deep", 0755, {}));
        QCOMPARE(f.put("made/deep/x", "1"), 0);
        QCOMPARE(f.put("there/y", "2"), 0);
        const auto refs = f.refs();
        applyTo(f.host, f);
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.cat("made/deep/x"), std::string("1"));
        QCOMPARE(f.changes().size(), std::size_t{0});
        fs::remove_all(f.host / "made");
        fs::remove(f.host / "there" / "y");
        QCOMPARE(f.dump(), before);
        QVERIFY(!f.walk("made"));
        f.open(); // nor after a start
        QCOMPARE(f.dump(), before);
        QVERIFY(f.tree->mkdir(kRoot, "made", 0755, {}));
        QCOMPARE(f.changes().size(), std::size_t{1});
    }

    // The host has other bytes than were settled (or nothing was wanted): the name gets the host's version,
    // and a late write through an old descriptor is staged again, never lost.
    void aLateWriteAfterAnotherVersionIsStagedAgain_data() {
        QTest::addColumn<bool>("settle");
        QTest::newRow("settle") << true;
        QTest::newRow("discard") << false;
    }
    void aLateWriteAfterAnotherVersionIsStagedAgain() {
        QFETCH(bool, settle);
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("two")));
        const auto refs = f.refs();
        writeFile(f.host / "a", "host");
        QVERIFY((settle ? f.tree->settle(refs) : f.tree->discard(refs))->empty());
        QCOMPARE(f.cat("a"), std::string("host"));
        QCOMPARE(f.read(node), std::string("two"));
        QVERIFY(f.tree->write(node, 3, asBytes(" late")));
        QCOMPARE(f.cat("a"), std::string("two late"));
        QCOMPARE(f.changes().size(), std::size_t{1});
        QCOMPARE(f.changes()[0].base->size, std::uint64_t{3}); // made against the first version: a conflict
    }

    void workSinceTheReviewIsKept() {
        Fixture f;
        writeFile(f.host / "a", "one");
        QCOMPARE(f.put("a", "two"), 0);
        auto refs = f.refs();
        QCOMPARE(f.put("a", "three"), 0);
        writeFile(f.host / "a", "two"); // the host applied what was reviewed
        struct stat applied {};
        QCOMPARE(::stat((f.host / "a").c_str(), &applied), 0);
        refs[0].left = Left{BaseVersion{applied.st_ino, 3, toNs(applied.st_mtim), toNs(applied.st_ctim)}};
        QCOMPARE(f.tree->settle(refs)->size(), std::size_t{1});
        QCOMPARE(f.cat("a"), std::string("three"));
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{1});
        struct stat info {};
        ::stat((f.host / "a").c_str(), &info);
        QCOMPARE(list[0].base->ctimeNs, info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec);
        QCOMPARE(f.tree->discard(refs)->size(), std::size_t{1}); // an old generation discards nothing
        QCOMPARE(f.cat("a"), std::string("three"));
    }

    void contentOfAnotherGenerationIsAConflict() {
        Fixture f;
        QCOMPARE(f.put("a", "two"), 0);
        const auto refs = f.refs();
        auto reader = f.tree->content(refs[0].path, refs[0].generation);
        QVERIFY(reader);
        QCOMPARE(f.put("a", "tri"), 0);
        QVERIFY((*reader)->finish().error().code == ErrorCode::Conflict);
        QVERIFY(!f.tree->content(refs[0].path, refs[0].generation));
    }

    void discardGivesTheHostsTreeBack() {
        Fixture f;
        fs::create_directories(f.host / "d/e");
        writeFile(f.host / "d/x", "x");
        writeFile(f.host / "d/e/y", "y");
        writeFile(f.host / "z", "z");
        const auto before = f.dump();
        QCOMPARE(f.put("d/x", "changed"), 0);
        QVERIFY(f.tree->unlink(f.parentOf("d/e/y"), "y"));
        QVERIFY(f.tree->rmdir(f.parentOf("d/e"), "e"));
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "moved", Replace::Yes));
        QVERIFY(f.tree->rename(kRoot, "z", f.walk("moved")->node, "z2", Replace::Yes));
        QVERIFY(f.tree->mkdir(kRoot, "new", 0755, {}));
        QCOMPARE(f.put("new/n", "n"), 0);
        QVERIFY(f.changes().size() >= 5);
        const auto kept = f.tree->discard(f.refs());
        QVERIFY(kept && kept->empty());
        QCOMPARE(describe(f.dump()), describe(before));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void aHostEditGivesANewNodeAndTheOldReadsOn() {
        Fixture f;
        writeFile(f.host / "a", "old");
        const auto node = f.walk("a")->node;
        writeFile(f.host / "a.tmp", "newer");
        fs::rename(f.host / "a.tmp", f.host / "a");
        QVERIFY(f.walk("a")->node != node);
        QCOMPARE(f.cat("a"), std::string("newer"));
        QCOMPARE(f.read(node), std::string("old"));
        // A write through the old descriptor is staged against the version that it read.
        QVERIFY(f.tree->write(node, 3, asBytes("!")));
        QCOMPARE(f.cat("a"), std::string("old!"));
        QCOMPARE(f.changes().at(0).base->size, std::uint64_t{3});
    }

    void aFolderKeepsItsNodeThroughEverything() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "x");
        const auto node = f.walk("d")->node;
        QCOMPARE(f.put("d/x", "y"), 0);
        QCOMPARE(f.walk("d")->node, node);
        QVERIFY(f.tree->discard(f.refs())->empty());
        QCOMPARE(f.walk("d")->node, node);
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "d2", Replace::Yes));
        QCOMPARE(f.walk("d2")->node, node);
        const auto refs = f.refs();
        fs::rename(f.host / "d", f.host / "d2");
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.walk("d2")->node, node);
        QCOMPARE(f.cat("d2/x"), std::string("x"));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void sameBytesAndUndoneWorkAreNoChange() {
        Fixture f;
        writeFile(f.host / "a", "same");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("same")));
        QCOMPARE(f.put("b", "gone"), 0);
        QVERIFY(f.tree->unlink(kRoot, "b"));
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "c", Replace::Yes));
        QVERIFY(f.tree->rename(kRoot, "c", kRoot, "a", Replace::Yes));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void renamesAreTold() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "a", "a");
        writeFile(f.host / "d/x", "x");
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::No));
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "e", Replace::No));
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{2});
        QCOMPARE(list[0].from->text(), std::string("a"));
        QVERIFY(!list[0].contentChanged);
        QCOMPARE(list[1].from->text(), std::string("d"));
        QCOMPARE(f.cat("e/x"), std::string("x"));
    }

    // guestd started again between the decision and its news: the generations are of before.
    void aLateSettleOfARenameLeavesNothing() {
        Fixture f;
        writeFile(f.host / "a", "one");
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::No));
        const auto refs = f.refs();
        f.open();
        fs::rename(f.host / "a", f.host / "b");
        (void)f.tree->settle(refs);
        QCOMPARE(f.cat("b"), std::string("one"));
        QCOMPARE(f.changes().size(), std::size_t{0});
        fs::rename(f.host / "b", f.host / "a"); // undone; and the same work again
        QCOMPARE(f.cat("a"), std::string("one"));
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::No));
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{1});
        QVERIFY(list[0].kind == ChangeKind::Renamed && list[0].from && list[0].from->text() == "a");
    }

    void nobodyAtTheDoorIsAnErrorAndNoLoss() {
        Fixture f;
        writeFile(f.host / "a", "one");
        QCOMPARE(f.put("b", "mine"), 0);
        const auto node = f.walk("a")->node;
        f.lower->failWith = EIO;
        QCOMPARE(f.tree->write(node, 0, asBytes("x")).error(), EIO);
        QCOMPARE(f.tree->settle(f.refs())->size(), std::size_t{1}); // kept
        QCOMPARE(f.cat("b"), std::string("mine"));
        f.lower->failWith = 0;
        QCOMPARE(f.cat("a"), std::string("one"));
    }

    // What a listing brought is not asked for again, however small the pages are.
    void aListingAsksTheHostOnce() {
        Fixture f;
        for (int i = 0; i < 50; ++i) {
            writeFile(f.host / ("f" + std::to_string(i)), "x");
        }
        const auto before = f.lower->lookups.load();
        QCOMPARE(f.dump().size(), std::size_t{50});
        QCOMPARE(f.lower->lookups.load(), before);
    }

    // Content that the disk lost takes with it what hung on it, and nothing else.
    void lostContentTakesNoOtherWorkWithIt() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "x");
        QCOMPARE(f.put("other", "kept"), 0);
        QVERIFY(f.tree->unlink(f.walk("d")->node, "x"));
        QVERIFY(f.tree->rmdir(kRoot, "d"));
        QCOMPARE(f.put("d", "a file now, over names that are covered"), 0);
        f.tree.reset();
        int removed = 0;
        for (const auto& item : fs::recursive_directory_iterator(f.dir.path().toStdString() + "/upper/objects")) {
            if (item.is_regular_file() && readFile(item.path()).starts_with("a file now")) {
                fs::remove(item.path());
                ++removed;
            }
        }
        QCOMPARE(removed, 1);
        f.open();
        QCOMPARE(f.cat("other"), std::string("kept"));
        QCOMPARE(f.cat("d/x"), std::string("x")); // the host's again
    }

    void aListingGoesOnWhereItWasWhileNamesComeAndGo() {
        Fixture f;
        for (const char* name : {"a", "c", "e", "g"}) {
            writeFile(f.host / name, name);
        }
        const auto listFrom = [&](std::uint64_t cookie, std::size_t most) {
            std::vector<std::pair<std::string, std::uint64_t>> items;
            const auto listed = f.tree->readdir(kRoot, cookie, Plus::No, [&](const DirItem& item) {
                if (items.size() < most) {
                    items.emplace_back(item.name, item.cookie);
                    return true;
                }
                return false;
            });
            return listed ? items : decltype(items){};
        };
        const auto namesOf = [](const auto& items) {
            std::string names;
            for (const auto& [name, cookie] : items) {
                names += name;
            }
            return names;
        };
        const auto first = listFrom(0, 2);
        QCOMPARE(namesOf(first), std::string("ac"));
        fs::remove(f.host / "a");
        fs::remove(f.host / "e");
        writeFile(f.host / "b", "b");
        writeFile(f.host / "h", "h");
        QCOMPARE(namesOf(listFrom(0, 9)), std::string("cgbh")); // somebody else's, from the start
        const auto rest = listFrom(first.back().second, 9);
        QCOMPARE(namesOf(rest), std::string("gbh"));
        writeFile(f.host / "d", "d");
        writeFile(f.host / "a", "a"); // a name that comes again is a new one
        QCOMPARE(namesOf(listFrom(0, 9)), std::string("cgbhad"));
        QCOMPARE(namesOf(listFrom(rest.front().second, 9)), std::string("bhad"));
    }

    void everyLookupIsGivenBack() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "x");
        (void)f.dump();
        const auto d = f.tree->lookup(kRoot, "d")->node;
        const auto x = f.tree->lookup(d, "x")->node;
        f.tree->forget(x, 1);
        f.tree->forget(d, 1);
        QVERIFY(f.tree->readdir(kRoot, 0, Plus::No, [](const DirItem&) { return true; }));
        const auto lower = f.lower;
        f.tree.reset();
        QCOMPARE(lower->heldLookups(), std::int64_t{0});
        QVERIFY(!lower->overForgotten);
    }

    void randomWorkMatchesARealFolder_data() {
        QTest::addColumn<unsigned>("seed");
        const auto extra = qEnvironmentVariableIntValue("CARREL_TEST_SEEDS");
        for (unsigned seed = 1; seed <= (extra > 0 ? static_cast<unsigned>(extra) : 40U); ++seed) {
            QTest::newRow(std::to_string(seed).c_str()) << seed;
        }
    }
    void randomWorkMatchesARealFolder() {
        QFETCH(unsigned, seed);
        std::mt19937 random(seed);
        Fixture f;
        for (const char* dir : {"a", "b", "a/c"}) {
            fs::create_directories(f.host / dir);
        }
        for (const char* file : {"f", "g", "a/f", "a/c/g", "b/h"}) {
            writeFile(f.host / file, std::string("host ") + file);
        }
        fs::create_symlink("f", f.host / "l");
        const fs::path model = fs::path(f.dir.path().toStdString()) / "model";
        fs::copy(f.host, model, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        const char* names[] = {"a", "b", "c", "f", "g", "h", "l"};
        const auto path = [&] {
            std::string out = names[random() % 7];
            for (auto depth = random() % 3; depth > 0; --depth) {
                out += std::string("/") + names[random() % 7];
            }
            return out;
        };
        for (int step = 0; step < 60; ++step) {
            const auto p = path();
            const auto q = path();
            const auto real = model / p;
            // The parents must be folders: links on the way are the kernel's affair.
            const auto parent = f.walk(fs::path(p).parent_path().string());
            if (!parent || !S_ISDIR(p.find('/') == std::string::npos ? S_IFDIR : parent->attr.st_mode)) {
                continue;
            }
            const NodeId up = p.find('/') == std::string::npos ? kRoot : parent->node;
            const auto name = Fixture::nameOf(p);
            const auto here = f.walk(p);
            std::string did;
            switch (random() % 8) {
            case 0:
            case 1:
                did = "put " + p;
                if (!here || S_ISREG(here->attr.st_mode)) {
                    QCOMPARE(f.put(p, "step " + std::to_string(step)), 0);
                    writeFile(real, "step " + std::to_string(step));
                }
                break;
            case 2: {
                did = "append " + p;
                if (here && S_ISREG(here->attr.st_mode)) {
                    QVERIFY(f.tree->write(here->node, static_cast<std::uint64_t>(here->attr.st_size),
                                          asBytes("+")));
                    std::ofstream(real, std::ios::app) << "+";
                }
                break;
            }
            case 3: {
                did = "mkdir " + p;
                const auto done = f.tree->mkdir(up, name, 0755, {});
                QCOMPARE(done ? 0 : done.error(), ::mkdir(real.c_str(), 0755) == 0 ? 0 : errno);
                break;
            }
            case 4: {
                did = "remove " + p;
                const bool folder = here && S_ISDIR(here->attr.st_mode);
                const auto done = folder ? f.tree->rmdir(up, name) : f.tree->unlink(up, name);
                const int expected =
                    (folder ? ::rmdir(real.c_str()) : ::unlink(real.c_str())) == 0 ? 0 : errno;
                QCOMPARE(done ? 0 : done.error(), expected);
                break;
            }
            case 5: {
                did = "rename " + p + " " + q;
                const auto other = f.walk(fs::path(q).parent_path().string());
                if (!here ||
                    (q.find('/') != std::string::npos && (!other || !S_ISDIR(other->attr.st_mode))) ||
                    q.starts_with(p + "/") || p.starts_with(q + "/")) {
                    break;
                }
                const bool exchange = random() % 3 == 0;
                did += exchange ? " exchanged" : "";
                const auto there = f.walk(q);
                const auto done =
                    f.tree->rename(up, name, q.find('/') == std::string::npos ? kRoot : other->node,
                                   Fixture::nameOf(q), exchange ? Replace::Exchange : Replace::Yes);
                if (!done && done.error() == EXDEV) {
                    QVERIFY(S_ISDIR(here->attr.st_mode) || (exchange && S_ISDIR(there->attr.st_mode)));
                    break;
                }
                const int expected = ::renameat2(AT_FDCWD, real.c_str(), AT_FDCWD, (model / q).c_str(),
                                                 exchange ? RENAME_EXCHANGE : 0) == 0
                                         ? 0
                                         : errno;
                QCOMPARE(done                        ? 0
                         : done.error() == ENOTEMPTY ? EEXIST
                                                     : done.error(),
                         expected == ENOTEMPTY ? EEXIST : expected);
                break;
            }
            case 6: {
                did = "chmod " + p;
                if (here && !S_ISLNK(here->attr.st_mode)) {
                    SetAttr set;
                    set.mode = random() % 2 == 0 ? 0700 : 0755;
                    QVERIFY(f.tree->setattr(here->node, set));
                    ::chmod(real.c_str(), *set.mode);
                }
                break;
            }
            case 7: {
                did = "symlink " + p;
                const auto done = f.tree->symlink(up, name, q, {});
                QCOMPARE(done ? 0 : done.error(), ::symlink(q.c_str(), real.c_str()) == 0 ? 0 : errno);
                break;
            }
            }
            if (describe(f.dump()) != describe(dumpReal(model))) {
                QFAIL(("step " + std::to_string(step) + ": " + did + "\nunion:\n" + describe(f.dump()) +
                       "model:\n" + describe(dumpReal(model)))
                          .c_str());
            }
            if (random() % 6 == 0) { // as after a crash: only what is on the disk
                const auto before = describe(f.dump());
                f.open();
                QCOMPARE(describe(f.dump()), before);
            }
        }
        const fs::path copy = fs::path(f.dir.path().toStdString()) / "copy";
        fs::copy(f.host, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        applyTo(copy, f);
        if (describe(dumpReal(copy)) != describe(f.dump())) {
            std::string list;
            for (const auto& c : f.changes()) {
                list += std::string(toString(c.kind)) + " " + c.path.text() +
                        (c.from ? " from " + c.from->text() : "") + " " + std::string(toString(c.type)) +
                        (c.base ? " base" : "") + "\n";
            }
            QFAIL(("applied:\n" + describe(dumpReal(copy)) + "union:\n" + describe(f.dump()) + "changes:\n" +
                   list)
                      .c_str());
        }
        // And when it is the host's, nothing of it is staged any more, and later edits show.
        const auto refs = f.refs();
        for (const auto& item : fs::directory_iterator(f.host)) {
            fs::remove_all(item.path());
        }
        fs::copy(copy, f.host, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.changes().size(), std::size_t{0});
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
        for (const auto& item : fs::recursive_directory_iterator(copy)) {
            if (item.symlink_status().type() == fs::file_type::directory) {
                writeFile(f.host / item.path().lexically_relative(copy) / "later", "later");
            }
        }
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
    }
};

QTEST_GUILESS_MAIN(TestWorktree)
#include "test_worktree.moc"
