// SPDX-License-Identifier: Apache-2.0
// RENAME_EXCHANGE, rename(2): two names swapped, both or neither. (Random exchanges: test_worktree.cpp.)
#include "tests/guest/worktree/worktree_fixture.h"

namespace carrel::worktree {

class TestWorktreeExchange : public QObject {
    Q_OBJECT
    static int swap(Fixture& f, const std::string& a, const std::string& b) {
        const auto parent = [&](const std::string& path) {
            return path.find('/') == std::string::npos ? kRoot : f.parentOf(path);
        };
        const auto done =
            f.tree->rename(parent(a), Fixture::nameOf(a), parent(b), Fixture::nameOf(b), Replace::Exchange);
        return done ? 0 : done.error();
    }
    // As the host freezes it before anything is applied.
    static std::string content(Fixture& f, const ChangeEntry& change) {
        const auto reader = f.tree->content(change.path, change.generation);
        return reader ? std::string(asText(*(*reader)->read(0, 100))) : reader.error().text();
    }

private slots:
    void filesOfTheHost() {
        Fixture f;
        writeFile(f.host / "a", "A");
        writeFile(f.host / "b", "B");
        const auto a = f.walk("a")->node;
        const auto b = f.walk("b")->node;
        QCOMPARE(swap(f, "a", "b"), 0);
        QCOMPARE(f.walk("b")->node, a); // open files go along
        QCOMPARE(f.walk("a")->node, b);
        f.open(); // one record: what is on the disk is the whole of it
        QCOMPARE(f.cat("a"), std::string("B"));
        QCOMPARE(f.cat("b"), std::string("A"));
        // Each name is told as changed, with what the other was: two files, whose content is frozen first.
        const auto changes = f.changes();
        QCOMPARE(changes.size(), std::size_t{2});
        QCOMPARE(content(f, changes[0]), std::string("B"));
        QCOMPARE(content(f, changes[1]), std::string("A"));
        QVERIFY(changes[0].kind == ChangeKind::Modified && changes[0].contentChanged);
        QVERIFY(changes[1].kind == ChangeKind::Modified && changes[1].contentChanged);
    }

    void thereAndBackIsNoChange() {
        Fixture f;
        writeFile(f.host / "a", "A");
        writeFile(f.host / "b", "B");
        QCOMPARE(swap(f, "a", "b"), 0);
        QVERIFY(!f.changes().empty());
        QCOMPARE(swap(f, "a", "b"), 0);
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void foldersMadeHereAndAFile() {
        Fixture f;
        writeFile(f.host / "a", "A");
        const auto d = f.tree->mkdir(kRoot, "d", 0755, {})->node;
        QCOMPARE(f.put("d/x", "X"), 0);
        QCOMPARE(swap(f, "a", "d"), 0);
        QCOMPARE(f.walk("a")->node, d);
        QCOMPARE(f.cat("a/x"), std::string("X"));
        QCOMPARE(f.cat("d"), std::string("A"));
        f.open();
        QCOMPARE(f.cat("a/x"), std::string("X"));
        QCOMPARE(f.cat("d"), std::string("A"));
    }

    void whatCannotBeSwappedStays() {
        Fixture f;
        fs::create_directories(f.host / "d/e");
        fs::create_directories(f.host / "g");
        const auto before = describe(f.dump());
        QCOMPARE(swap(f, "d", "none"), ENOENT);
        QCOMPARE(swap(f, "d", "d/e"), EINVAL);
        QCOMPARE(swap(f, "d/e", "d"), EINVAL);
        QCOMPARE(swap(f, "d", "g"), EXDEV);
        QCOMPARE(describe(f.dump()), before);
        QCOMPARE(f.changes().size(), std::size_t{0});
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeExchange;
QTEST_GUILESS_MAIN(TestWorktreeExchange)
#include "test_worktree_exchange.moc"
