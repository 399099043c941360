// SPDX-License-Identifier: Apache-2.0
// What is asked for before a program wants it: it saves trips, is never a guess about content, and never
// hides a change.
#include "guest/worktree/read_ahead.h"
#include "tests/guest/worktree/worktree_fixture.h"

#include <QDir>

#include <atomic>
#include <functional>
#include <future>
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

std::vector<std::string> namesIn(Fixture& f, const std::string& folder) {
    std::vector<std::string> names;
    const auto dir = f.walk(folder);
    if (!dir || !f.tree->readdir(dir->node, 0, Plus::No, [&](const DirItem& item) {
            names.push_back(item.name);
            return true;
        })) {
        names.emplace_back("no listing");
    }
    return names;
}

// Four folders of four files, of which the first two were listed, so that d2 and d3 are listed ahead;
// `before` that.
void scout(
    Fixture& f, const std::function<void()>& before = [] {}) {
    f.lower->pageSize = 100; // one page for each, or a second one would tell what happened meanwhile
    fill(f, {"d0", "d1", "d2", "d3"}, 4);
    QVERIFY(f.tree->readdir(kRoot, 0, Plus::Yes, [](const DirItem&) { return true; }));
    before();
    list(f, "d0");
    list(f, "d1");
    const auto last = f.lower->nodeAt((f.host / "d3").string());
    QTRY_VERIFY_WITH_TIMEOUT(f.lower->listed(last) > 0, 60'000); // the second of the two
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
        f.lower->pageSize = 100;
        int edits = 0;
        std::atomic<int> next = 4; // the file that is edited with the next page
        f.lower->whileListing = [&](std::uint64_t folder) {
            const auto listed = f.lower->nodeAt((f.host / "d").string());
            const int file = folder == listed ? next.exchange(0) : 0;
            if (file != 0) {
                fs::remove(f.host / "d" / nameOf(file));
                writeFile(f.host / "d" / nameOf(file), "edited meanwhile");
                f.lower->events->entryChanged(listed, nameOf(file));
                ++edits;
            }
        };
        readAll(f, "d", {0, 1, 2, 3});
        QCOMPARE(f.cat("d/" + nameOf(4)), std::string("edited meanwhile"));
        QCOMPARE(edits, 1); // a page was asked for
        next = 6;
        QVERIFY(f.tree->readdir(dir, 0, Plus::No, [](const DirItem&) { return true; }));
        QCOMPARE(f.cat("d/" + nameOf(6)), std::string("edited meanwhile"));
        QCOMPARE(edits, 2);
    }

    void validityEndsForNamesThatCameAhead() {
        Fixture f;
        f.lower->pageSize = 100;
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
        QTRY_VERIFY_WITH_TIMEOUT(f.lower->listed(third) > 0, 60'000); // before anybody asked
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
        scout(f);
        writeFile(f.host / "d2" / "new", "d2/new");
        f.lower->events->entryChanged(f.lower->nodeAt((f.host / "d2").string()), "new");
        QCOMPARE(namesIn(f, "d2").size(), std::size_t{5});
    }

    // The host's news were too many: it says of the folder only that anything may have happened there.
    void anythingAfterAListingAhead() {
        Fixture f;
        scout(f);
        writeFile(f.host / "d2" / "new", "d2/new");
        f.lower->events->nodeChanged(f.lower->nodeAt((f.host / "d2").string()));
        QCOMPARE(namesIn(f, "d2").size(), std::size_t{5});
    }

    void anythingWhileAListingAheadIsOnItsWay() {
        Fixture f;
        scout(f, [&] {
            f.lower->whileListing = [&](std::uint64_t folder) {
                const auto third = f.lower->nodeAt((f.host / "d2").string());
                if (folder == third && !fs::exists(f.host / "d2" / "new")) {
                    writeFile(f.host / "d2" / "new", "d2/new");
                    f.lower->events->nodeChanged(third);
                }
            };
        });
        QCOMPARE(namesIn(f, "d2").size(), std::size_t{5});
    }

    // It was away while it was listed ahead, and is back: not empty.
    void aFolderThatWasAwayForAMoment() {
        Fixture f;
        scout(f, [&] { fs::rename(f.host / "d2", f.host / "away"); });
        fs::rename(f.host / "away", f.host / "d2");
        QCOMPARE(namesIn(f, "d2").size(), std::size_t{4});
    }

    // The host moved another folder to that place: what was told of the first one's names is nothing here.
    void anotherFolderInItsPlace_data() {
        QTest::addColumn<bool>("listing");
        QTest::newRow("after a listing") << true;
        QTest::newRow("after single names") << false;
    }
    void anotherFolderInItsPlace() {
        QFETCH(bool, listing);
        Fixture f;
        f.lower->pageSize = 100;
        fill(f, {"d", "e"}, 20);
        QCOMPARE(f.put("d/own", "staged"), 0); // so that the folder keeps its node
        if (listing) {
            list(f, "d");
        }
        readAll(f, "d", {0, 1, 2, 3, 4});
        fs::rename(f.host / "d", f.host / "gone");
        fs::rename(f.host / "e", f.host / "d");
        f.lower->events->entryChanged(1, "d");
        QCOMPARE(f.cat("d/" + nameOf(7)), "e/" + nameOf(7));
        QCOMPARE(f.cat("d/own"), std::string("staged"));
    }

    // A folder of many files that are watched; the folder itself is not. Its listing holds as long as its
    // names do.
    void anUnwatchedFolderIsNotListedFromMemory() {
        Fixture f;
        f.lower->validFiles = std::chrono::nanoseconds(0);
        scout(f);
        writeFile(f.host / "d2" / "new", "d2/new"); // and nobody tells
        bool longer = false;                        // than the host said
        int names = 0;
        QVERIFY(f.tree->readdir(f.walk("d2")->node, 0, Plus::Yes, [&](const DirItem& item) {
            longer = longer || item.entry.entryValid != std::chrono::nanoseconds(0);
            ++names;
            return true;
        }));
        QVERIFY(!longer);
        QCOMPARE(names, 5);
    }

    // What a page told of a name that a decision has ended since is asked for anew.
    void aDecisionAndNamesThatCameAhead() {
        Fixture f;
        f.lower->pageSize = 100;
        fill(f, {"d"}, 20);
        const auto dir = f.walk("d")->node;
        QVERIFY(f.tree->unlink(dir, nameOf(7)));
        readAll(f, "d", {0, 1, 2, 3, 4}); // a page is here; 7 is on the host and not in the tree
        QCOMPARE(f.walk("d/" + nameOf(7)).error(), ENOENT);
        const auto changes = f.changes();
        QCOMPARE(changes.size(), std::size_t{1});
        fs::remove(f.host / "d" / nameOf(7)); // applied; the host's own news of it come later
        QVERIFY(f.tree->settle({{changes[0].path, changes[0].generation}})->empty());
        QCOMPARE(f.walk("d/" + nameOf(7)).error(), ENOENT);
    }

    // Where the answer never comes, a reader asks for itself.
    void whatGetsLostIsAskedForAgain() {
        ReadAhead ahead;
        FakeLower lower(QDir::tempPath().toStdString());
        lower.loseAhead = true;
        ahead.ask(lower, {{nullptr, 5, 100}});
        const auto none = ahead.take(5, 0, 100, std::chrono::milliseconds(1));
        QVERIFY(!none);
        QVERIFY(!ahead.take(5, 0, 100, std::chrono::hours(1))); // at once: it is not waited for a second time
        lower.answerLost();                                     // too late, and no harm
    }

    void whatTheHostDisownsIsNotGivenOut() {
        ReadAhead ahead;
        FakeLower lower(QDir::tempPath().toStdString());
        lower.loseAhead = true;
        ahead.ask(lower, {{nullptr, 5, 3}, {nullptr, 6, 3}, {nullptr, 7, 3}});
        ahead.drop(5); // on its way
        lower.answerLost();
        ahead.drop(6);
        QVERIFY(!ahead.take(5, 0, 3, std::chrono::hours(1)));
        QVERIFY(!ahead.take(6, 0, 3, std::chrono::hours(1)));
        const auto seven = ahead.take(7, 0, 3, std::chrono::hours(1));
        QVERIFY(seven && *seven && asText(**seven) == "abc");
    }

    void anAnswerOfAnotherLengthIsNone() {
        ReadAhead ahead;
        FakeLower lower(QDir::tempPath().toStdString());
        lower.loseAhead = true;
        ahead.ask(lower, {{nullptr, 5, 4}, {nullptr, 6, 2}});
        lower.answerLost(); // three bytes each
        QVERIFY(!ahead.take(5, 0, 4, std::chrono::hours(1)));
        QVERIFY(!ahead.take(6, 0, 2, std::chrono::hours(1)));
    }

    void aReaderWaitsForWhatIsOnItsWay() {
        ReadAhead ahead;
        FakeLower lower(QDir::tempPath().toStdString());
        lower.loseAhead = true;
        ahead.ask(lower, {{nullptr, 5, 3}, {nullptr, 6, 3}});
        auto first =
            std::async(std::launch::async, [&] { return ahead.take(5, 0, 3, std::chrono::hours(1)); });
        auto second =
            std::async(std::launch::async, [&] { return ahead.take(6, 0, 3, std::chrono::hours(1)); });
        lower.answerLost();
        QVERIFY(first.get().value() && second.get().value());
        ahead.ask(lower, {{nullptr, 8, 3}});
        auto last =
            std::async(std::launch::async, [&] { return ahead.take(8, 0, 3, std::chrono::hours(1)); });
        ahead.close();
        const auto closed = last.get(); // none, when it closed before the reader came
        QVERIFY(!closed || !closed->has_value());
        lower.answerLost();
    }

    // More than there is room for: the oldest that nobody came for go, those on their way stay.
    void thereIsABound() {
        ReadAhead ahead;
        FakeLower lower(QDir::tempPath().toStdString());
        lower.loseAhead = true;
        std::vector<ReadAhead::File> many;
        for (std::uint64_t id = 1; id <= ReadAhead::kMaxFiles + 10; ++id) {
            many.push_back({nullptr, id, 3});
        }
        ahead.ask(lower, many);
        QCOMPARE(lower.asked.load(), static_cast<int>(ReadAhead::kMaxFiles));
        lower.answerLost();
        ahead.ask(lower, {{nullptr, 1000, 3}});
        QVERIFY(!ahead.take(1, 0, 3, std::chrono::hours(1)));
        QVERIFY(ahead.take(2, 0, 3, std::chrono::hours(1)).has_value());
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
