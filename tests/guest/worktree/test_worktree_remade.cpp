// SPDX-License-Identifier: Apache-2.0
// Folders of the host's that were removed and made again, or replaced by others of the same name.
#include "tests/guest/worktree/worktree_fixture.h"

namespace carrel::worktree {

class TestWorktreeRemade : public QObject {
    Q_OBJECT
    static NodeId at(Fixture& f, const std::string& path) { return f.walk(path)->node; }
    // D with k and sub/k.
    static void fill(Fixture& f) {
        fs::create_directories(f.host / "D/sub");
        writeFile(f.host / "D/k", "K");
        writeFile(f.host / "D/sub/k", "SK");
    }
    static bool removeAll(Fixture& f, NodeId parent, const std::string& name) {
        const auto folder = f.tree->lookup(parent, name)->node;
        std::vector<std::pair<std::string, bool>> names;
        (void)f.tree->readdir(folder, 0, Plus::No, [&](const DirItem& item) {
            names.emplace_back(item.name, item.type == S_IFDIR);
            return true;
        });
        bool all = true;
        for (const auto& [inner, isFolder] : names) {
            all = (isFolder ? removeAll(f, folder, inner) : f.tree->unlink(folder, inner).has_value()) && all;
        }
        return f.tree->rmdir(parent, name).has_value() && all;
    }
    // Everything staged is the host's now, and nothing is in the way of what the host does next.
    static void applyAndGoOn(Fixture& f, const std::string& folder) {
        const auto refs = f.refs();
        const auto before = describe(f.dump());
        applyTo(f.host, f);
        QCOMPARE(describe(dumpReal(f.host)), before);
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.changes().size(), std::size_t{0});
        QCOMPARE(describe(f.dump()), before);
        writeFile(f.host / folder / "later", "L");
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
        fs::remove_all(f.host / folder);
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host))); // nor does the folder stay without the host's
        f.open();
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
        QCOMPARE(f.tree->stagedVersion(), std::uint64_t{0});
    }

private slots:
    void aFolderMadeAgainIsTheHosts_data() {
        QTest::addColumn<bool>("start");
        QTest::newRow("at once") << false;
        QTest::newRow("after a start") << true;
    }
    void aFolderMadeAgainIsTheHosts() {
        QFETCH(bool, start);
        Fixture f;
        fill(f);
        QVERIFY(removeAll(f, kRoot, "D"));
        QVERIFY(f.tree->mkdir(kRoot, "D", 0755, {}));
        QVERIFY(f.tree->mkdir(at(f, "D"), "sub", 0755, {}));
        QCOMPARE(f.put("D/x", "X"), 0);
        QCOMPARE(f.put("D/sub/y", "Y"), 0);
        QCOMPARE(f.dump().size(), std::size_t{4});
        if (start) {
            f.open();
        }
        QCOMPARE(f.dump().size(), std::size_t{4});
        applyAndGoOn(f, "D");
    }

    void aFolderMovedToItsPlaceIsTheHosts() {
        Fixture f;
        fill(f);
        const auto fresh = f.tree->mkdir(kRoot, "D.new", 0755, {})->node;
        QVERIFY(f.tree->mkdir(fresh, "sub", 0755, {}));
        QCOMPARE(f.put("D.new/k", "K2"), 0);
        QCOMPARE(f.put("D.new/sub/y", "Y"), 0);
        QVERIFY(removeAll(f, kRoot, "D"));
        QVERIFY(f.tree->rename(kRoot, "D.new", kRoot, "D", Replace::Yes));
        QCOMPARE(f.dump().size(), std::size_t{4});
        QCOMPARE(at(f, "D"), fresh);
        applyAndGoOn(f, "D");
    }

    // It has nothing to do with the removal: an apply leaves it where it is, and so must the machine show it.
    void whatTheHostMadeSinceTheRemovalShows() {
        Fixture f;
        fill(f);
        QVERIFY(removeAll(f, kRoot, "D"));
        writeFile(f.host / "D/since", "S");
        QVERIFY(f.tree->mkdir(kRoot, "D", 0755, {}));
        QCOMPARE(f.cat("D/since"), std::string("S"));
        QCOMPARE(f.walk("D/k").error(), ENOENT);
        QCOMPARE(f.tree->rmdir(kRoot, "D").error(), ENOTEMPTY);
        QCOMPARE(f.tree->create(at(f, "D"), "since", 0644, {}).error(), EEXIST);
    }

    void aDiscardedRemovalShowsAgain() {
        Fixture f;
        fill(f);
        QVERIFY(removeAll(f, kRoot, "D"));
        QVERIFY(f.tree->mkdir(kRoot, "D", 0755, {}));
        QVERIFY(f.tree->discard(f.refs())->empty());
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
    }

    // A program stands in it, and nobody has asked what the host has there.
    void aDiscardedModeLeavesTheWorkingDirectory_data() {
        QTest::addColumn<bool>("atTheDoor");
        QTest::newRow("the host answers") << true;
        QTest::newRow("nobody answers") << false;
    }
    void aDiscardedModeLeavesTheWorkingDirectory() {
        QFETCH(bool, atTheDoor);
        Fixture f;
        fill(f);
        QVERIFY(removeAll(f, kRoot, "D"));
        const auto node = f.tree->mkdir(kRoot, "D", 0700, {})->node;
        const auto refs = f.refs();
        QVERIFY(refs.size() > 1);
        f.lower->failWith = atTheDoor ? 0 : EIO;
        QVERIFY(f.tree->discard(refs)->empty());
        f.lower->failWith = 0;
        QCOMPARE(f.tree->getattr(node)->attr.st_mode, mode_t{S_IFDIR | 0755});
        SetAttr set;
        set.mode = 0711;
        QVERIFY(f.tree->setattr(node, set));
        QCOMPARE(f.tree->getattr(node)->attr.st_mode, mode_t{S_IFDIR | 0711});
        QCOMPARE(f.walk("D")->node, node);
        QVERIFY(f.tree->create(node, "x", 0644, {}));
        QCOMPARE(f.changes().size(), std::size_t{2});
        QVERIFY(f.tree->discard(f.refs())->empty());
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
        QCOMPARE(f.tree->stagedVersion(), std::uint64_t{0});
    }

    // The host's folder shows where it was renamed to, and not here as well.
    void aFolderMadeWhereOneWasRenamedFromIsNew() {
        Fixture f;
        fill(f);
        QVERIFY(f.walk("D"));
        QVERIFY(f.tree->rename(kRoot, "D", kRoot, "E", Replace::Yes));
        QVERIFY(f.tree->mkdir(kRoot, "D", 0755, {}));
        QCOMPARE(f.put("D/x", "X"), 0);
        QCOMPARE(f.dump().size(), std::size_t{6});
        QCOMPARE(f.walk("D/k").error(), ENOENT);
        // Until the renamed one is removed: then it is a removal, and the folder was made again.
        QVERIFY(removeAll(f, kRoot, "E"));
        QCOMPARE(f.dump().size(), std::size_t{2});
        applyAndGoOn(f, "D");
    }

    void itsDiscardLeavesTheRename() {
        Fixture f;
        fill(f);
        QVERIFY(f.walk("D"));
        QVERIFY(f.tree->rename(kRoot, "D", kRoot, "E", Replace::Yes));
        const auto made = f.tree->mkdir(kRoot, "D", 0755, {})->node;
        QCOMPARE(f.put("D/x", "X"), 0);
        const auto folder = f.changes().at(0);
        QCOMPARE(folder.path.text(), std::string("D"));
        QCOMPARE(f.tree->discard({{folder.path, folder.generation}})->size(), std::size_t{1}); // there is work in it
        QVERIFY(f.tree->unlink(made, "x"));
        const auto again = f.changes().at(0);
        QVERIFY(f.tree->discard({{again.path, again.generation}})->empty());
        QCOMPARE(f.walk("D").error(), ENOENT);
        QCOMPARE(f.cat("E/k"), std::string("K"));
        const auto left = f.changes();
        QCOMPARE(left.size(), std::size_t{1});
        QVERIFY(left[0].kind == ChangeKind::Renamed && left[0].from->text() == "D");
        f.open();
        QVERIFY(f.tree->discard(f.refs())->empty());
        QCOMPARE(describe(f.dump()), describe(dumpReal(f.host)));
    }

    // What was renamed out of the removed folder is still told as renamed.
    void aRenameOutOfAReplacedFolderIsTold() {
        Fixture f;
        fill(f);
        const auto fresh = f.tree->mkdir(kRoot, "D.new", 0755, {})->node;
        QVERIFY(f.tree->mkdir(fresh, "sub", 0755, {}));
        QVERIFY(f.tree->rename(at(f, "D"), "sub", kRoot, "sub2", Replace::Yes));
        QVERIFY(removeAll(f, kRoot, "D"));
        QVERIFY(f.tree->rename(kRoot, "D.new", kRoot, "D", Replace::Yes));
        QCOMPARE(f.cat("sub2/k"), std::string("SK"));
        QCOMPARE(f.walk("D/sub/k").error(), ENOENT);
        bool told = false;
        for (const auto& change : f.changes()) {
            told = told || (change.kind == ChangeKind::Renamed && change.path.text() == "sub2");
        }
        QVERIFY(told);
        applyAndGoOn(f, "D");
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeRemade;
QTEST_GUILESS_MAIN(TestWorktreeRemade)
#include "test_worktree_remade.moc"
