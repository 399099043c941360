// SPDX-License-Identifier: Apache-2.0
// Staged work is listed, reviewed and applied by its path. So nothing may be staged at a path that is longer
// than a SharePath can hold: it would be work that nobody is told of.
#include "tests/guest/worktree/worktree_fixture.h"

namespace carrel::worktree {
namespace {

constexpr std::size_t kLevels = 20;
constexpr std::size_t kLevelBytes = 200;
constexpr std::size_t kLast =
    kMaxPathBytes - kLevels * (kLevelBytes + 1); // what still fits beneath all levels

std::string levels(std::size_t count) {
    std::string path;
    for (std::size_t i = 0; i < count; ++i) {
        path += (i == 0 ? "" : "/") + std::string(kLevelBytes, 'd');
    }
    return path;
}

NodeId makeLevels(Fixture& f, NodeId at, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        at = f.tree->mkdir(at, std::string(kLevelBytes, 'd'), 0755, {})->node;
    }
    return at;
}

int errorOf(const SysStatus& status) {
    return status ? 0 : status.error();
}
template <class T> int errorOf(const SysResult<T>& result) {
    return result ? 0 : result.error();
}

} // namespace

class TestWorktreeDepth : public QObject {
    Q_OBJECT
private slots:
    void aNewNameMustFit() {
        Fixture f;
        const auto deep = makeLevels(f, kRoot, kLevels);
        const std::string fits(kLast, 'f');
        const std::string tooLong(kLast + 1, 'f');
        QCOMPARE(errorOf(f.tree->create(deep, tooLong, 0644, {})), ENAMETOOLONG);
        QCOMPARE(errorOf(f.tree->mkdir(deep, tooLong, 0755, {})), ENAMETOOLONG);
        QCOMPARE(errorOf(f.tree->symlink(deep, tooLong, "t", {})), ENAMETOOLONG);
        QCOMPARE(errorOf(f.tree->create(deep, fits, 0644, {})), 0);
        QCOMPARE(f.changes().size(), kLevels + 1); // whatever was allowed is told
        QCOMPARE(f.changes().back().path.text().size(), kMaxPathBytes);
    }

    void aRenamedFileMustFit() {
        Fixture f;
        const auto deep = makeLevels(f, kRoot, kLevels);
        QCOMPARE(f.put("mine", "work"), 0);
        writeFile(f.host / "theirs", "text");
        for (const auto* name : {"mine", "theirs"}) {
            QVERIFY(f.walk(name));
            QCOMPARE(errorOf(f.tree->rename(kRoot, name, deep, std::string(kLast + 1, 'f'), Replace::Yes)),
                     ENAMETOOLONG);
        }
        QCOMPARE(f.cat("mine"), std::string("work"));
        QCOMPARE(f.cat("theirs"), std::string("text"));
        QCOMPARE(errorOf(f.tree->rename(kRoot, "mine", deep, std::string(kLast, 'f'), Replace::Yes)), 0);
        QCOMPARE(f.changes().size(), kLevels + 1);
    }

    void aRenamedFolderTakesOnlyWhatFits() {
        Fixture f;
        const auto deep = makeLevels(f, kRoot, kLevels);
        QVERIFY(f.tree->create(deep, std::string(kLast, 'f'), 0644, {}));
        const std::string top(kLevelBytes, 'd');
        const auto other = f.tree->mkdir(kRoot, "o", 0755, {})->node;
        QCOMPARE(errorOf(f.tree->rename(kRoot, top, other, "d", Replace::Yes)), 0); // shorter: fits
        QCOMPARE(errorOf(f.tree->rename(other, "d", kRoot, top + "d", Replace::Yes)), ENAMETOOLONG);
        QCOMPARE(errorOf(f.tree->rename(other, "d", kRoot, top, Replace::Yes)), 0);
        QCOMPARE(f.changes().size(), kLevels + 2);
        f.open();
        QCOMPARE(f.changes().size(), kLevels + 2);
    }

    // What is only the host's moves along with its folder, however deep: nothing is staged there. Staging it
    // is what has to be refused then, with an error to the program that tries.
    void whatTheHostHasTooDeepIsNotStaged() {
        Fixture f;
        const std::string name(kLast, 'f');
        fs::create_directory(f.host / "h");
        writeFile(f.host / "h" / name, "text");
        const auto deep = makeLevels(f, kRoot, kLevels);
        QVERIFY(f.walk("h"));
        QCOMPARE(errorOf(f.tree->rename(kRoot, "h", deep, "h", Replace::Yes)), 0);
        const auto staged = f.changes().size();
        const auto folder = f.tree->lookup(deep, "h")->node;
        const auto file = f.tree->lookup(folder, name)->node;
        QCOMPARE(f.read(file), std::string("text"));
        QCOMPARE(errorOf(f.tree->write(file, 0, asBytes("x"))), ENAMETOOLONG);
        SetAttr mode;
        mode.mode = 0600;
        QCOMPARE(errorOf(f.tree->setattr(file, mode)), ENAMETOOLONG);
        SetAttr cut;
        cut.size = 0;
        QCOMPARE(errorOf(f.tree->setattr(file, cut)), ENAMETOOLONG);
        QCOMPARE(errorOf(f.tree->unlink(folder, name)), ENAMETOOLONG);
        QCOMPARE(f.read(file), std::string("text"));
        QCOMPARE(f.changes().size(), staged);
        QCOMPARE(errorOf(f.tree->rename(folder, name, kRoot, "short", Replace::Yes)), ENAMETOOLONG);
        QCOMPARE(f.cat("short"), std::string("error " + std::to_string(ENOENT)));
    }

    void discardingARenameKeepsWorkThatWouldNotFit() {
        Fixture f;
        fs::create_directories(f.host / levels(3) / "h");
        const auto from = f.walk(levels(3))->node;
        QVERIFY(f.walk(levels(3) + "/h"));
        QCOMPARE(errorOf(f.tree->rename(from, "h", kRoot, "h", Replace::Yes)), 0);
        makeLevels(f, f.walk("h")->node, kLevels);
        QCOMPARE(f.changes().size(), kLevels + 1);
        const auto rename = f.changes().front();
        QCOMPARE(rename.path.text(), std::string("h"));
        const auto kept = f.tree->discard({{rename.path, rename.generation}});
        QVERIFY(kept);
        QCOMPARE(kept->size(), std::size_t{1});
        QCOMPARE(f.changes().size(), kLevels + 1);
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeDepth;
QTEST_GUILESS_MAIN(TestWorktreeDepth)
#include "test_worktree_depth.moc"
