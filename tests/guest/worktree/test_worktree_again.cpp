// SPDX-License-Identifier: Apache-2.0
// A staged file with the host's very bytes is no change and is not listed: it may not hide what the host
// saves after that.
#include "tests/guest/worktree/union_inside.h"

namespace carrel::worktree {
namespace {

struct Inside : UnionInside {
    std::string read(const std::string& name) {
        const auto entry = tree->lookup(kRoot, name);
        if (!entry || entry->node == 0) {
            return "nothing";
        }
        return std::string(asText(*tree->read(entry->node, 0, 4096)));
    }
    void write(const std::string& name, const std::string& text) {
        QVERIFY(tree->write(tree->lookup(kRoot, name)->node, 0, asBytes(text)));
    }
    // Written to, and then as it was again: an entry with bytes of its own stays.
    void workAndBack(const std::string& name) {
        writeFile(host / name, "as it was");
        write(name, "as I like");
        write(name, "as it was");
    }
    void hostSaves(const std::string& name, const std::string& text) {
        writeFile(host / name, text);
        lower->events->entryChanged(lower::kRootNode, name);
    }
    std::size_t listed() { return tree->changes(SharePath(), 100)->entries.size(); }
};

} // namespace

class TestWorktreeAgain : public QObject {
    Q_OBJECT
private slots:
    void theHostsNextVersionShows() {
        Inside f;
        f.workAndBack("a");
        QCOMPARE(f.listed(), std::size_t{0});
        f.hostSaves("a", "the user's next");
        QCOMPARE(f.listed(), std::size_t{0}); // nothing to decide on, and so
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
        QCOMPARE(f.tree->stagedVersion(), std::uint64_t{0});
    }
    void alsoWhereNobodyListedInBetween() {
        Inside f;
        f.workAndBack("a");
        f.hostSaves("a", "the user's next");
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
    }
    void alsoWhenTheNewsWereTooMany() {
        Inside f;
        f.workAndBack("a");
        writeFile(f.host / "a", "the user's next");
        f.lower->events->everythingChanged();
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
    }
    // Nobody watches a folder that the kernel does not know.
    void alsoWhenNobodyTold() {
        Inside f;
        f.workAndBack("a");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        f.tree->forget(node, 100);
        writeFile(f.host / "a", "the user's next");
        (void)f.read("a");
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
    }
    // Nobody at the door: each answer would be waited for, for minutes.
    void waitsOnceWhereNobodyAnswers() {
        Inside f;
        f.workAndBack("a");
        f.workAndBack("b");
        f.hostSaves("a", "the user's next");
        f.hostSaves("b", "the user's next");
        std::vector<std::string> asked;
        f.lower->whileLooking = [&](std::string_view name) { asked.emplace_back(name); };
        f.lower->failWith = EIO;
        f.tree->giveBack();
        QCOMPARE(asked.size(), std::size_t{1});
        f.tree->giveBack(); // it may be the trouble of that file alone
        QCOMPARE(asked.size(), std::size_t{2});
        QVERIFY(asked[0] != asked[1]);
        f.lower->failWith = 0;
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
        QCOMPARE(f.read("b"), std::string("the user's next"));
    }
    void whatTheHostRemovedIsGone() {
        Inside f;
        f.workAndBack("a");
        fs::remove(f.host / "a");
        f.lower->events->entryChanged(lower::kRootNode, "a");
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("nothing"));
    }
    // A change stays, against the version that it was made from: review finds the conflict.
    void aChangeIsKept() {
        Inside f;
        writeFile(f.host / "a", "as it was");
        f.write("a", "as I like");
        f.hostSaves("a", "the user's next");
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("as I like"));
        const auto list = f.tree->changes(SharePath(), 10);
        QCOMPARE(list->entries.size(), std::size_t{1});
        QCOMPARE(list->entries.front().base->size, std::uint64_t{9});
        // Undone by the agent after all: from now on it hides the user's.
        f.write("a", "as it was");
        f.tree->giveBack(); // it may be in the middle of its work
        f.tree->giveBack();
        QCOMPARE(f.read("a"), std::string("the user's next"));
    }
    void permissionsAreAChangeToo() {
        Inside f;
        f.workAndBack("a");
        SetAttr set;
        set.mode = 0600;
        QVERIFY(f.tree->setattr(f.tree->lookup(kRoot, "a")->node, set));
        f.hostSaves("a", "the user's next");
        f.tree->giveBack();
        QCOMPARE(f.listed(), std::size_t{1});
    }
    // Renamed it is a change, and told as one.
    void aRenameIsAChangeToo() {
        Inside f;
        f.workAndBack("a");
        f.lower->events->entryChanged(lower::kRootNode, "a");
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::Yes));
        f.hostSaves("a", "the user's next");
        f.tree->giveBack();
        f.tree->giveBack();
        QCOMPARE(f.read("b"), std::string("as it was"));
        QCOMPARE(f.listed(), std::size_t{1});
    }
    void whatIsOpenIsNotLost() {
        Inside f;
        f.workAndBack("a");
        const auto open = f.tree->lookup(kRoot, "a")->node;
        f.hostSaves("a", "the user's next");
        f.tree->giveBack();
        QCOMPARE(std::string(asText(*f.tree->read(open, 0, 100))), std::string("as it was")); // one version
        QVERIFY(f.tree->write(open, 0, asBytes("as I like")));
        QCOMPARE(f.listed(), std::size_t{1});
        QCOMPARE(f.read("a"), std::string("as I like"));
    }
    // Some tools keep a file's time and size when they change it. It is another version all the same: what the kernel
    // has of the old one must not be shown for it.
    void alsoOfTheSameSizeAndTime() {
        Inside f;
        f.workAndBack("a");
        const auto keep = [&](NodeId node) {
            struct stat info {};
            QCOMPARE(::stat((f.host / "a").c_str(), &info), 0);
            SetAttr set;
            set.mtimeNs = toNs(info.st_mtim);
            QVERIFY(f.tree->setattr(node, set)); // cp -p
            writeFile(f.host / "a", "as theirs");
            const timespec times[2] = {info.st_mtim, info.st_mtim};
            QCOMPARE(::utimensat(AT_FDCWD, (f.host / "a").c_str(), times, 0), 0);
            f.lower->events->entryChanged(lower::kRootNode, "a");
        };
        const auto open = f.tree->lookup(kRoot, "a")->node;
        keep(open);
        f.tree->giveBack();
        QVERIFY(f.tree->lookup(kRoot, "a")->node != open);
        QCOMPARE(f.read("a"), std::string("as theirs"));
        QCOMPARE(std::string(asText(*f.tree->read(open, 0, 100))), std::string("as it was"));
    }
    void nothingMovesWhereTheHostKeptItsVersion() {
        Inside f;
        f.workAndBack("a");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        f.lower->events->entryChanged(lower::kRootNode, "a");
        const auto staged = f.tree->stagedVersion();
        f.tree->giveBack();
        QCOMPARE(f.tree->lookup(kRoot, "a")->node, node);
        QCOMPARE(f.tree->stagedVersion(), staged);
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeAgain;
QTEST_GUILESS_MAIN(TestWorktreeAgain)
#include "test_worktree_again.moc"
