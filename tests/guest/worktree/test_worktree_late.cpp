// SPDX-License-Identifier: Apache-2.0
// What comes in the midst of something else: decisions while a file is cut, the host's edits after a touch, the
// end of the disk in a write.
#include "tests/guest/worktree/union_inside.h"

#include <csignal>
#include <sys/resource.h>

namespace carrel::worktree {
namespace {

struct Inside : UnionInside {
    std::vector<ChangeRef> refs() {
        std::vector<ChangeRef> out;
        const auto list = tree->changes(SharePath(), 100);
        for (const auto& change : list->entries) {
            out.push_back({change.path, change.generation});
        }
        return out;
    }
    // What the host has then is what is staged, down to the time.
    void applyFile(const std::string& name, NodeId node) {
        const auto bytes = tree->read(node, 0, 4096);
        writeFile(host / name, std::string(asText(*bytes)));
        const auto attr = tree->getattr(node)->attr;
        const timespec times[2] = {attr.st_mtim, attr.st_mtim};
        ::utimensat(AT_FDCWD, (host / name).c_str(), times, 0);
    }
    BaseVersion version(const std::string& name) {
        struct stat info {};
        (void)::lstat((host / name).c_str(), &info);
        return {info.st_ino, static_cast<std::uint64_t>(info.st_size), toNs(info.st_mtim),
                toNs(info.st_ctim)};
    }
};

} // namespace

class TestWorktreeLate : public QObject {
    Q_OBJECT
private slots:
    void aDecisionWhileAFileIsCut_data() {
        QTest::addColumn<bool>("settle");
        QTest::addColumn<bool>("cut");
        QTest::newRow("settle, setattr") << true << true;
        QTest::newRow("settle, fallocate") << true << false;
        QTest::newRow("discard, setattr") << false << true;
        QTest::newRow("discard, fallocate") << false << false;
    }
    void aDecisionWhileAFileIsCut() {
        QFETCH(bool, settle);
        QFETCH(bool, cut);
        Inside f;
        writeFile(f.host / "a", "one");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("work")));
        int decided = 0;
        f.tree->m_inTheMidst = [&](WorktreeImpl::Midst midst) {
            if (midst != WorktreeImpl::Midst::Staged || decided++ > 0) {
                return;
            }
            const auto refs = f.refs();
            if (settle) {
                f.applyFile("a", node);
            }
            const auto kept = settle ? f.tree->settle(refs) : f.tree->discard(refs);
            QVERIFY(kept && kept->empty());
        };
        int error = 0;
        if (cut) {
            SetAttr set;
            set.size = 2;
            const auto done = f.tree->setattr(node, set);
            error = done ? 0 : done.error();
        } else {
            const auto done = f.tree->fallocate(node, 0, 0, 6);
            error = done ? 0 : done.error();
        }
        QCOMPARE(error, 0);
        QCOMPARE(decided, 2);
        // It is staged, under its name: nothing that was said to be done is lost.
        QCOMPARE(f.tree->lookup(kRoot, "a")->node, node);
        QCOMPARE(f.tree->getattr(node)->attr.st_size, off_t{cut ? 2 : 6});
        QCOMPARE(f.refs().size(), std::size_t{1});
    }

    // What the user saved after the apply, and before the machine heard of it, is not what the agent's next work is
    // made against.
    void theUserSavesBeforeTheDecisionIsTold_data() {
        QTest::addColumn<bool>("told");
        QTest::addColumn<bool>("saves");
        QTest::newRow("nobody saved") << true << false;
        QTest::newRow("saved, and the host says what it left") << true << true;
        QTest::newRow("saved, and the host does not know") << false << true;
    }
    void theUserSavesBeforeTheDecisionIsTold() {
        QFETCH(bool, told);
        QFETCH(bool, saves);
        Inside f;
        writeFile(f.host / "a", "one");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("work")));
        auto refs = f.refs();
        f.applyFile("a", node);
        const auto applied = f.version("a");
        if (told) {
            refs.at(0).left = Left{applied};
        }
        QVERIFY(f.tree->write(node, 0, asBytes("more")));
        if (saves) {
            writeFile(f.host / "a", "the user's");
        }
        const auto kept = f.tree->settle(refs);
        QVERIFY(kept && kept->size() == 1);
        const auto list = f.tree->changes(SharePath(), 10);
        QCOMPARE(list->entries.size(), std::size_t{1});
        QCOMPARE(list->entries.at(0).base == f.version("a"), !saves);
    }
    // Some tools keep a file's time and size. The version that the apply left is known by more than that.
    void theUserSavesOneOfTheSameSizeAndTime() {
        Inside f;
        writeFile(f.host / "a", "one");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("work")));
        auto refs = f.refs();
        f.applyFile("a", node);
        refs.at(0).left = Left{f.version("a")};
        writeFile(f.host / "a", "mine");
        const timespec time = toTimespec(refs.at(0).left->version->mtimeNs);
        const timespec times[2] = {time, time};
        QCOMPARE(::utimensat(AT_FDCWD, (f.host / "a").c_str(), times, 0), 0);
        QVERIFY(f.tree->settle(refs)->empty());
        const auto shown = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(shown != node);
        QCOMPARE(std::string(asText(*f.tree->read(shown, 0, 100))), std::string("mine"));
        QCOMPARE(std::string(asText(*f.tree->read(node, 0, 100))), std::string("work"));
    }
    // The same of a file that was renamed, whether or not it has bytes of its own: what was done to it since then waits
    // for review, made against what was renamed.
    void theUserSavesWhatWasRenamed_data() {
        QTest::addColumn<QString>("work");
        QTest::addColumn<bool>("removes");
        for (const bool removes : {false, true}) {
            for (const auto* work : {"chmod", "touch", "write"}) {
                QTest::addRow("%s, %s", work, removes ? "the user removes it" : "the user saves it")
                    << QString(work) << removes;
            }
        }
    }
    void theUserSavesWhatWasRenamed() {
        QFETCH(QString, work);
        QFETCH(bool, removes);
        Inside f;
        writeFile(f.host / "a", "one");
        const auto before = f.version("a");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::Yes));
        auto refs = f.refs();
        QCOMPARE(refs.size(), std::size_t{1});
        fs::rename(f.host / "a", f.host / "b");
        refs.at(0).left = Left{f.version("b")};
        if (work == "write") {
            QVERIFY(f.tree->write(node, 0, asBytes("more")));
        } else {
            SetAttr set;
            if (work == "chmod") {
                set.mode = 0755;
            } else {
                set.mtimeNs = 1'000'000'000;
            }
            QVERIFY(f.tree->setattr(node, set));
        }
        if (removes) {
            fs::remove(f.host / "b");
        } else {
            writeFile(f.host / "b", "the user's");
        }
        const auto kept = f.tree->settle(refs);
        QVERIFY(kept && kept->size() == 1);
        const auto list = f.tree->changes(SharePath(), 10);
        if (work == "touch") { // no change that anybody decides on, and nothing hides what the user has
            QCOMPARE(list->entries.size(), std::size_t{0});
            const auto shown = f.tree->lookup(kRoot, "b");
            QCOMPARE(shown && shown->node != 0, !removes);
            if (!removes) {
                QCOMPARE(std::string(asText(*f.tree->read(shown->node, 0, 100))), std::string("the user's"));
            }
            return;
        }
        QCOMPARE(list->entries.size(), std::size_t{1});
        const auto& change = list->entries.at(0);
        QCOMPARE(change.path.text(), std::string("b"));
        QVERIFY(change.kind == (work == "chmod" ? ChangeKind::Mode : ChangeKind::Modified));
        QVERIFY(change.base == before); // which the host has no more: a conflict
        QCOMPARE(change.contentChanged, work == "write");
        if (work == "write") {
            QVERIFY(f.tree->content(change.path, change.generation));
        } else {
            QCOMPARE(change.mode, 0755U);
        }
    }
    // What was moved onto a name after its review is another work than the one that was decided on.
    void whatWasMovedOntoADecidedName_data() {
        QTest::addColumn<QString>("decided");
        for (const auto* decided : {"deleted", "modified", "renamed"}) {
            QTest::newRow(decided) << QString(decided);
        }
    }
    void whatWasMovedOntoADecidedName() {
        QFETCH(QString, decided);
        Inside f;
        for (const auto* name : {"a", "b", "x"}) {
            writeFile(f.host / name, std::string(name) + "'s");
        }
        if (decided == "deleted") {
            QVERIFY(f.tree->remove(kRoot, "b", WorktreeImpl::Remove::File));
        } else if (decided == "modified") {
            QVERIFY(f.tree->write(f.tree->lookup(kRoot, "b")->node, 0, asBytes("more")));
        } else {
            QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::Yes));
        }
        auto refs = f.refs();
        QVERIFY(f.tree->rename(kRoot, "x", kRoot, "b", Replace::Yes));
        if (decided == "deleted") {
            fs::remove(f.host / "b");
        } else if (decided == "modified") {
            writeFile(f.host / "b", "more");
        } else {
            fs::rename(f.host / "a", f.host / "b");
        }
        for (auto& ref : refs) {
            const bool there = ref.path.text() == "b" && decided != "deleted";
            ref.left = there ? Left{f.version("b")} : Left{};
        }
        const auto kept = f.tree->settle(refs);
        QVERIFY(kept && !kept->empty());
        const auto shown = f.tree->lookup(kRoot, "b");
        QVERIFY(shown && shown->node != 0);
        QCOMPARE(std::string(asText(*f.tree->read(shown->node, 0, 100))), std::string("x's"));
        const auto left = f.tree->lookup(kRoot, "x");
        QVERIFY(!left || left->node == 0);
        const auto list = f.tree->changes(SharePath(), 10);
        QVERIFY(list && !list->entries.empty());
    }
    // A folder is itself whatever is done in it, and its size is the disk's own affair: the host tells of none.
    void aFileInThePlaceOfAFolderThatWasApplied_data() {
        QTest::addColumn<bool>("another");
        QTest::newRow("the folder that the apply made") << false;
        QTest::newRow("another folder of the user's") << true;
    }
    void aFileInThePlaceOfAFolderThatWasApplied() {
        QFETCH(bool, another);
        Inside f;
        QVERIFY(f.tree->make(kRoot, "d", {EntryKind::Directory, 0755, {}, {}}));
        auto refs = f.refs();
        QVERIFY(f.tree->remove(kRoot, "d", WorktreeImpl::Remove::Folder));
        QVERIFY(f.tree->make(kRoot, "d", {EntryKind::File, 0644, {}, {}}));
        fs::create_directory(f.host / "d");
        auto applied = f.version("d");
        applied.size = 0;
        refs.at(0).left = Left{applied};
        writeFile(f.host / "d/the user's", "text");
        if (another) {
            fs::rename(f.host / "d", f.host / "e");
            fs::create_directory(f.host / "d");
        }
        const auto kept = f.tree->settle(refs);
        QVERIFY(kept && kept->size() == 1);
        const auto list = f.tree->changes(SharePath(), 10);
        QCOMPARE(list->entries.size(), std::size_t{1});
        const auto& base = list->entries.at(0).base;
        QCOMPARE(base.has_value(), !another);
        QVERIFY(another || base->inode == applied.inode);
    }
    void theUserMakesAnewWhatWasDeleted() {
        Inside f;
        writeFile(f.host / "g", "one");
        (void)f.tree->lookup(kRoot, "g");
        QVERIFY(f.tree->remove(kRoot, "g", WorktreeImpl::Remove::File));
        auto refs = f.refs();
        refs.at(0).left = Left{};
        fs::remove(f.host / "g");
        writeFile(f.host / "g", "the user's next");
        QVERIFY(f.tree->make(kRoot, "g", {EntryKind::File, 0644, {}, {}}));
        QVERIFY(f.tree->remove(kRoot, "g", WorktreeImpl::Remove::File));
        const auto kept = f.tree->settle(refs);
        QVERIFY(kept && kept->size() == 1);
        const auto list = f.tree->changes(SharePath(), 10);
        QCOMPARE(list->entries.size(), std::size_t{1});
        QCOMPARE(list->entries.at(0).base->size, std::uint64_t{3}); // of the one that it was made against
    }

    void aHostEditAfterATouchHasItsOwnTime() {
        Inside f;
        writeFile(f.host / "a", "one");
        writeFile(f.host / "b", "two");
        for (const auto* name : {"a", "b"}) {
            SetAttr set;
            set.mtimeNs = 1'000'000'000;
            QVERIFY(f.tree->setattr(f.tree->lookup(kRoot, name)->node, set));
            QCOMPARE(f.tree->lookup(kRoot, name)->attr.st_mtim.tv_sec, time_t{1});
        }
        QVERIFY(f.tree->rename(kRoot, "b", kRoot, "b2", Replace::Yes));
        QCOMPARE(f.tree->lookup(kRoot, "b2")->attr.st_mtim.tv_sec, time_t{1});
        for (const auto& [name, onHost] : {std::pair{"a", "a"}, {"b2", "b"}}) {
            writeFile(f.host / onHost, "the host's edit");
            struct stat info {};
            QCOMPARE(::stat((f.host / onHost).c_str(), &info), 0);
            f.lower->events->entryChanged(lower::kRootNode, onHost);
            const auto now = f.tree->lookup(kRoot, name);
            QCOMPARE(std::string(asText(*f.tree->read(now->node, 0, 100))), std::string("the host's edit"));
            QCOMPARE(now->attr.st_mtim.tv_sec, info.st_mtim.tv_sec);
        }
    }

    // write(2): what is on the disk was written; the error comes with the next one.
    void aWriteThatEndsTooEarlySaysHowMuch() {
        constexpr rlim_t kEnd = 64UL * 1024 * 1024;
        Inside f;
        writeFile(f.host / "a", "one");
        const auto node = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("work")));
        (void)std::signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        QCOMPARE(::getrlimit(RLIMIT_FSIZE, &before), 0);
        const rlimit small{kEnd, before.rlim_max};
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
        const auto wrote = f.tree->write(node, kEnd - 4, asBytes("12345678"));
        const auto beyond = f.tree->write(node, kEnd, asBytes("5678"));
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &before), 0);
        QVERIFY(wrote);
        QCOMPARE(*wrote, std::size_t{4});
        QCOMPARE(beyond.error(), EFBIG);
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeLate;
QTEST_GUILESS_MAIN(TestWorktreeLate)
#include "test_worktree_late.moc"
