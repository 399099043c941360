// SPDX-License-Identifier: Apache-2.0
// What is asked for before a program wants it: it saves trips, is never a guess about content, and never
// hides a change.
#include "tests/guest/worktree/worktree_fixture.h"

#include <numeric>

using namespace carrel;
using namespace carrel::worktree;

namespace {

std::string nameOf(int i) {
    return (i < 10 ? "f0" : "f") + std::to_string(i);
}

// `count` files in each of the folders; what a file holds is its path.
void fill(const Fixture& f, const std::vector<std::string>& folders, int count) {
    for (const auto& folder : folders) {
        fs::create_directories(f.host / folder);
        for (int i = 0; i < count; ++i) {
            writeFile(f.host / folder / nameOf(i), folder + "/" + nameOf(i));
        }
    }
}

void list(Fixture& f, const std::string& folder) {
    const auto dir = f.walk(folder);
    QVERIFY(dir && f.tree->readdir(dir->node, 0, Plus::Yes, [](const DirItem&) { return true; }));
}

// The paths read in this order: each gives what the host has.
void readAll(Fixture& f, const std::string& folder, const std::vector<int>& order) {
    for (const int i : order) {
        const auto path = folder + "/" + nameOf(i);
        QCOMPARE(f.cat(path), path);
    }
}

std::vector<int> upTo(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

} // namespace

class TestWorktreeAhead : public QObject {
    Q_OBJECT
private slots:
    void filesInOrderComeAhead() {
        Fixture f;
        fill(f, {"d", "e"}, 40);
        list(f, "d");
        list(f, "e");
        readAll(f, "d", upTo(40));
        const int single = f.lower->reads - f.lower->asked;
        QVERIFY2(single >= 2 && single <= 4, qPrintable(QString::number(single)));
        // A program that went through one folder goes through the next one: there, not even the first few.
        readAll(f, "e", upTo(40));
        QVERIFY(f.lower->reads - f.lower->asked <= single + 1);
        QVERIFY(f.lower->reads <= 80); // nothing twice
    }

    void namesThatNoListingToldOfComeAhead() {
        Fixture f;
        f.lower->pageSize = 100;
        fill(f, {"d"}, 40);
        const auto dir = f.walk("d")->node;
        for (const int i : upTo(40)) {
            const auto file = f.tree->lookup(dir, nameOf(i));
            QVERIFY(file);
            QCOMPARE(f.read(file->node), "d/" + nameOf(i));
        }
        QVERIFY2(f.lower->lookups < 6, qPrintable(QString::number(f.lower->lookups)));
        QVERIFY(f.lower->reads - f.lower->asked < 20);
    }

    void noOrderNothingAhead() {
        Fixture f;
        fill(f, {"d"}, 40);
        list(f, "d");
        readAll(f, "d", {30, 3, 22, 11, 39, 1, 25, 17});
        QCOMPARE(f.lower->asked.load(), 0);
        readAll(f, "d", {7, 7, 7, 7}); // the same again is no order either
        QCOMPARE(f.lower->asked.load(), 0);
    }

    void largeFilesAreNotAskedForAhead() {
        Fixture f;
        fill(f, {"d"}, 20);
        writeFile(f.host / "d" / nameOf(6), std::string(100'000, 'x'));
        writeFile(f.host / "d" / nameOf(7), "");
        list(f, "d");
        readAll(f, "d", {0, 1, 2, 3, 4, 5});
        const auto large = f.walk("d/" + nameOf(6));
        QCOMPARE(f.tree->read(large->node, 99'000, 4096)->size(), std::size_t{1000});
        QCOMPARE(f.cat("d/" + nameOf(7)), std::string());
        readAll(f, "d", {8, 9, 10});
        QVERIFY(f.lower->bytesAhead < 1000);
    }

    void partsOfAFileThatCameAhead() {
        Fixture f;
        fill(f, {"d"}, 20);
        const std::string text(10'000, 'y');
        writeFile(f.host / "d" / nameOf(5), text);
        list(f, "d");
        readAll(f, "d", {0, 1, 2, 3, 4});
        const auto node = f.walk("d/" + nameOf(5))->node;
        for (const auto& [offset, size] : {std::pair<std::uint64_t, std::uint32_t>{4096, 4096},
                                           {0, 4096},
                                           {8192, 4096},
                                           {8192, 4096},
                                           {20'000, 10}}) {
            const auto bytes = f.tree->read(node, offset, size);
            QVERIFY(bytes);
            QCOMPARE(std::string(asText(*bytes)),
                     offset < text.size() ? text.substr(offset, size) : std::string());
        }
    }

    void ownWorkIsReadAndNotWhatCameAhead() {
        Fixture f;
        fill(f, {"d"}, 20);
        list(f, "d");
        readAll(f, "d", {0, 1, 2, 3});
        QVERIFY(f.lower->asked > 0);
        QCOMPARE(f.put("d/" + nameOf(5), "mine"), 0);
        QCOMPARE(f.cat("d/" + nameOf(5)), std::string("mine"));
        const auto six = f.walk("d/" + nameOf(6))->node;
        QVERIFY(f.tree->write(six, 0, asBytes("D"))); // copied from the host's first
        QCOMPARE(f.cat("d/" + nameOf(6)), "D/" + nameOf(6));
        readAll(f, "d", {4, 7, 8, 9});
    }

    // The old node may give the old bytes; the name gives the new ones as soon as the host has told of it.
    void aHostEditShowsAlthoughItCameAhead() {
        Fixture f;
        fill(f, {"d"}, 20);
        list(f, "d");
        readAll(f, "d", {0, 1, 2, 3});
        const auto dir = f.lower->nodeAt((f.host / "d").string());
        fs::remove(f.host / "d" / nameOf(5));
        writeFile(f.host / "d" / nameOf(5), "edited meanwhile");
        fs::remove(f.host / "d" / nameOf(6));
        f.lower->events->entryChanged(dir, nameOf(5));
        f.lower->events->entryChanged(dir, nameOf(6));
        QCOMPARE(f.cat("d/" + nameOf(5)), std::string("edited meanwhile"));
        QCOMPARE(f.walk("d/" + nameOf(6)).error(), ENOENT);
    }

    void anAnswerOfNoUseIsAskedForAgain() {
        Fixture f;
        fill(f, {"d"}, 20);
        list(f, "d");
        f.lower->failAhead = EBUSY;
        readAll(f, "d", upTo(20));
        QVERIFY(f.lower->asked > 0);
        f.lower->failWith = EIO;
        QCOMPARE(f.cat("d/" + nameOf(19)), std::string("error 5"));
    }

    // The same for names that came with a page of the listing.
    void aHostEditShowsAlthoughItsNameCameAhead() {
        Fixture f;
        fill(f, {"d"}, 20);
        f.lower->pageSize = 100;
        readAll(f, "d", {0, 1, 2, 3, 4}); // by now a page of names is here
        const auto before = f.lower->lookups.load();
        const auto dir = f.lower->nodeAt((f.host / "d").string());
        fs::remove(f.host / "d" / nameOf(5));
        writeFile(f.host / "d" / nameOf(5), "edited meanwhile");
        f.lower->events->entryChanged(dir, nameOf(5));
        QCOMPARE(f.cat("d/" + nameOf(5)), std::string("edited meanwhile"));
        QVERIFY(f.lower->lookups > before);
    }

    // It changes while the page is on its way: the page may tell what was before.
    void aChangeWhileNamesAreOnTheirWay() {
        Fixture f;
        fill(f, {"d"}, 20);
        const auto dir = f.walk("d")->node;
        f.lower->whileListing = [&] {
            f.lower->whileListing = {};
            fs::remove(f.host / "d" / nameOf(4));
            writeFile(f.host / "d" / nameOf(4), "edited meanwhile");
            f.lower->events->entryChanged(f.lower->nodeAt((f.host / "d").string()), nameOf(4));
        };
        readAll(f, "d", {0, 1, 2, 3});
        QVERIFY(!f.lower->whileListing); // a page was asked for
        QCOMPARE(f.cat("d/" + nameOf(4)), std::string("edited meanwhile"));
        f.lower->whileListing = [&] {
            f.lower->whileListing = {};
            fs::remove(f.host / "d" / nameOf(6));
            writeFile(f.host / "d" / nameOf(6), "edited, too");
            f.lower->events->entryChanged(f.lower->nodeAt((f.host / "d").string()), nameOf(6));
        };
        QVERIFY(f.tree->readdir(dir, 0, Plus::No, [](const DirItem&) { return true; }));
        QCOMPARE(f.cat("d/" + nameOf(6)), std::string("edited, too"));
    }

    void validityEndsForNamesThatCameAhead() {
        Fixture f;
        f.lower->valid = std::chrono::nanoseconds(0); // nobody watches: an answer holds for no time at all
        fill(f, {"d"}, 20);
        readAll(f, "d", {0, 1, 2, 3, 4});
        fs::remove(f.host / "d" / nameOf(5));
        writeFile(f.host / "d" / nameOf(5), "edited meanwhile"); // and nobody tells
        QCOMPARE(f.cat("d/" + nameOf(5)), std::string("edited meanwhile"));
    }

    void foldersInOrderAreListedAhead() {
        Fixture f;
        std::vector<std::string> folders;
        for (int i = 0; i < 12; ++i) {
            folders.push_back("d" + std::string(i < 10 ? "0" : "") + std::to_string(i));
        }
        fill(f, folders, 3);
        QVERIFY(f.tree->readdir(kRoot, 0, Plus::Yes, [](const DirItem&) { return true; }));
        list(f, folders[0]);
        list(f, folders[1]);
        const auto third = f.lower->nodeAt((f.host / folders[2]).string());
        QTRY_VERIFY(f.lower->listed(third) > 0); // before anybody asked
        const auto known = f.lower->listed(third);
        for (int i = 2; i < 12; ++i) {
            list(f, folders[static_cast<std::size_t>(i)]);
        }
        QCOMPARE(f.lower->listed(third), known); // not again
        const auto all = f.dump();
        QCOMPARE(all.size(), std::size_t{12 + 36});
        QVERIFY(all.at(folders[7] + "/" + nameOf(2)).ends_with(" " + folders[7] + "/" + nameOf(2)));
    }

    void aChangeAfterAListingAhead() {
        Fixture f;
        fill(f, {"d0", "d1", "d2", "d3"}, 3);
        QVERIFY(f.tree->readdir(kRoot, 0, Plus::Yes, [](const DirItem&) { return true; }));
        list(f, "d0");
        list(f, "d1");
        const auto third = f.lower->nodeAt((f.host / "d2").string());
        QTRY_VERIFY(f.lower->listed(third) > 0);
        writeFile(f.host / "d2" / "new", "d2/new");
        f.lower->events->entryChanged(third, "new");
        std::vector<std::string> names;
        QVERIFY(f.tree->readdir(f.walk("d2")->node, 0, Plus::No, [&](const DirItem& item) {
            names.push_back(item.name);
            return true;
        }));
        QVERIFY(std::ranges::find(names, "new") != names.end());
    }

    void everyLookupIsGivenBack() {
        Fixture f;
        fill(f, {"d0", "d1", "d2", "d3", "d4"}, 20);
        (void)f.dump();
        list(f, "d0");
        list(f, "d1");
        readAll(f, "d0", {0, 1, 2, 3, 4, 5});
        readAll(f, "d2", {0, 1, 2, 3, 4, 5});
        const auto lower = f.lower;
        f.tree.reset(); // listings and files that nobody came for go with it
        QCOMPARE(lower->heldLookups(), std::int64_t{0});
        QVERIFY(!lower->overForgotten);
    }

    void anEventConcernsItsNodesOnly() {
        Fixture f;
        fill(f, {"d", "e"}, 3);
        std::vector<std::pair<NodeId, std::string>> told;
        f.tree->setKernelSink([&](const KernelNote& note) { told.emplace_back(note.node, note.name); });
        const auto d = f.walk("d")->node;
        (void)f.walk("e/" + nameOf(0));
        const auto lowerDir = f.lower->nodeAt((f.host / "d").string());
        f.lower->events->entryChanged(lowerDir, nameOf(1));
        QCOMPARE(told.size(), std::size_t{2}); // the name, the listing
        QVERIFY(told[0].first == d && told[0].second == nameOf(1) && told[1].first == d);
        told.clear();
        f.tree->forget(d, 1000);
        f.lower->events->nodeChanged(lowerDir); // the kernel knows it no more
        QVERIFY(told.empty());
        f.tree->setKernelSink({});
    }
};

QTEST_GUILESS_MAIN(TestWorktreeAhead)
#include "test_worktree_ahead.moc"
