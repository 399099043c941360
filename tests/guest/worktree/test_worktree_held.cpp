// SPDX-License-Identifier: Apache-2.0
// What must be held on the host's side for its nodes to stay good for something, and what is told when they
// are good for nothing.
#include "guest/worktree/worktree_impl.h"
#include "tests/guest/worktree/worktree_fixture.h"

namespace carrel::worktree {

class TestWorktreeHeld : public QObject {
    Q_OBJECT
private slots:
    // The kernel comes to them by their new names, and never asks for the folder that they came from.
    void whatWasRenamedIsReadAfterAStart() {
        Fixture f;
        fs::create_directories(f.host / "sub/deep/inner");
        writeFile(f.host / "sub/deep/inner/x", "X");
        writeFile(f.host / "sub/deep/a", "A");
        const auto deep = f.walk("sub/deep")->node;
        QVERIFY(f.walk("sub/deep/inner/x"));
        QVERIFY(f.tree->rename(deep, "inner", kRoot, "inner2", Replace::Yes));
        QVERIFY(f.tree->rename(deep, "a", kRoot, "a2", Replace::Yes));
        f.open();
        QCOMPARE(f.cat("a2"), std::string("A"));
        const auto inner = f.walk("inner2");
        QVERIFY(inner);
        std::vector<std::string> names;
        QVERIFY(f.tree->readdir(inner->node, 0, Plus::No, [&](const DirItem& item) {
            names.push_back(item.name);
            return true;
        }));
        QCOMPARE(names, std::vector<std::string>{"x"});
        QCOMPARE(f.tree->rmdir(kRoot, "inner2").error(), ENOTEMPTY);
        QCOMPARE(f.cat("inner2/x"), std::string("X"));
        QCOMPARE(f.changes().size(), std::size_t{2});
    }

    // Its folder is forgotten by the kernel, and is nobody's parent in the machine any more.
    void whatWasRenamedIsReadWithoutItsFormerFolder() {
        Fixture f;
        fs::create_directories(f.host / "sub");
        writeFile(f.host / "sub/a", "A");
        const auto sub = f.tree->lookup(kRoot, "sub")->node;
        const auto a = f.tree->lookup(sub, "a")->node;
        QVERIFY(f.tree->rename(sub, "a", kRoot, "a2", Replace::Yes));
        f.tree->forget(sub, 1);
        QCOMPARE(f.read(a), std::string("A"));
    }

    void whatIsHeldIsGivenBack() {
        Fixture f;
        fs::create_directories(f.host / "sub/deep");
        writeFile(f.host / "sub/deep/a", "A");
        const auto deep = f.walk("sub/deep")->node;
        QVERIFY(f.tree->rename(deep, "a", kRoot, "a2", Replace::Yes));
        f.open();
        QCOMPARE(f.cat("a2"), std::string("A"));
        const auto lower = f.lower;
        f.tree.reset();
        QCOMPARE(lower->heldLookups(), std::int64_t{0});
        QVERIFY(!lower->overForgotten);
    }

    // Folders in folders in folders, let go of at once: each within the other, they would need more stack than
    // there is.
    void aLongPathIsLetGoOf() {
        LowerRef last;
        std::weak_ptr<LowerNode> first;
        for (int i = 0; i < 1'000'000; ++i) {
            auto next = std::make_shared<LowerNode>();
            next->parent = std::move(last);
            last = std::move(next);
            if (i == 0) {
                first = last;
            }
        }
        last.reset();
        QVERIFY(first.expired());
    }

    // Nobody can tell what is in such a folder. To say that nothing is would let it be removed.
    void aFolderThatCannotBeListedIsNotEmpty() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "X");
        const auto dir = f.walk("d")->node;
        f.lower->staleFolders.insert((f.host / "d").string());
        const auto listed = f.tree->readdir(dir, 0, Plus::No, [](const DirItem&) { return true; });
        QVERIFY(!listed);
        QCOMPARE(listed.error(), ESTALE);
        QCOMPARE(f.tree->rmdir(kRoot, "d").error(), ESTALE);
        QCOMPARE(f.tree->lookup(dir, "x").error(), ESTALE);
        QCOMPARE(f.tree->create(dir, "x", 0644, {}).error(), ESTALE);
        QCOMPARE(f.changes().size(), std::size_t{0});
        f.lower->staleFolders.clear();
        QCOMPARE(f.cat("d/x"), std::string("X"));
    }

    // A folder that stands no more is as good as none: what was staged in it still shows.
    void aFolderThatTheHostRemovedIsEmpty() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "X");
        const auto dir = f.walk("d")->node;
        QCOMPARE(f.put("d/y", "Y"), 0);
        fs::remove_all(f.host / "d");
        std::vector<std::string> names;
        QVERIFY(f.tree->readdir(dir, 0, Plus::No, [&](const DirItem& item) {
            names.push_back(item.name);
            return true;
        }));
        QCOMPARE(names, std::vector<std::string>{"y"});
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeHeld;
QTEST_GUILESS_MAIN(TestWorktreeHeld)
#include "test_worktree_held.moc"
