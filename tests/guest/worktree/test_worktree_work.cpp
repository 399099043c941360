// SPDX-License-Identifier: Apache-2.0
// How much work it is to tell what is staged, and who has to wait for it. Counted, never timed.
#include "tests/guest/worktree/union_inside.h"

#include <future>

namespace carrel::worktree {
namespace {

struct Inside : UnionInside {
    Inside() {
        fs::create_directory(host / "d");
        lower->pageSize = 10'000;
    }
    std::vector<ChangeEntry> changes() { return tree->changes(SharePath(), 10'000)->entries; }
};

// Calls from another thread, as of the files channel or of a program: does it come back before the work is done?
// The time is only for the case that it does not.
bool comesBack(std::function<void()> call) {
    auto done = std::make_shared<std::promise<void>>();
    auto future = done->get_future();
    std::thread([done, call = std::move(call)] {
        call();
        done->set_value();
    }).detach();
    return future.wait_for(std::chrono::seconds(60)) == std::future_status::ready;
}

constexpr int kMany = 600;

} // namespace

class TestWorktreeWork : public QObject {
    Q_OBJECT
private slots:
    void removalsAndRenamesTakeStepsByTheirNumber() {
        Inside f;
        for (int i = 0; i < kMany; ++i) {
            writeFile(f.host / "d" / ("gone" + std::to_string(i)), "g");
            writeFile(f.host / "d" / ("moved" + std::to_string(i)), "m");
        }
        const auto dir = f.tree->lookup(kRoot, "d")->node;
        for (int i = 0; i < kMany; ++i) {
            const auto number = std::to_string(i);
            QVERIFY(f.tree->remove(dir, "gone" + number, WorktreeImpl::Remove::File));
            QVERIFY(f.tree->rename(dir, "moved" + number, kRoot, "m" + number, Replace::Yes));
        }
        QVERIFY2(f.tree->steps() <= 4 * kMany, std::to_string(f.tree->steps()).c_str());
        const auto before = f.tree->steps();
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{2 * kMany});
        QCOMPARE(std::count_if(list.begin(), list.end(), [](const auto& c) { return c.kind == ChangeKind::Renamed; }),
                 std::ptrdiff_t{kMany});
        QVERIFY2(f.tree->steps() - before <= 4 * kMany, std::to_string(f.tree->steps() - before).c_str());
    }

    void newsOfTheHostsTakeStepsByTheirNumber() {
        Inside f;
        for (int i = 0; i < kMany; ++i) {
            writeFile(f.host / "d" / ("moved" + std::to_string(i)), "m");
        }
        const auto dir = f.tree->lookup(kRoot, "d")->node;
        for (int i = 0; i < kMany; ++i) {
            const auto number = std::to_string(i);
            QVERIFY(f.tree->lookup(dir, "moved" + number));
            QVERIFY(f.tree->rename(dir, "moved" + number, kRoot, "m" + number, Replace::Yes));
        }
        std::vector<std::string> told;
        f.tree->m_sink = [&](const KernelNote& note) { told.push_back(note.name); };
        const auto before = f.tree->steps();
        for (int i = 0; i < kMany; ++i) {
            f.lower->events->entryChanged(f.lower->nodeAt((f.host / "d").string()), "moved" + std::to_string(i));
        }
        QVERIFY2(f.tree->steps() - before <= 4 * kMany, std::to_string(f.tree->steps() - before).c_str());
        QVERIFY(std::count(told.begin(), told.end(), "m7") == 1); // where it shows
    }

    // Replies of every share come on the thread that tells of a host's change, and programs go on.
    void nobodyWaitsForAHash() {
        Inside f;
        const std::string text(1024 * 1024, 'a');
        writeFile(f.host / "a", text);
        const auto a = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(a, 0, asBytes("b")));
        int hashed = 0;
        bool told = false;
        bool made = false;
        f.tree->m_inTheMidst = [&](WorktreeImpl::Midst) {
            if (hashed++ == 0) {
                told = comesBack([&] { f.lower->events->entryChanged(lower::kRootNode, "x"); });
                made = comesBack([&] {
                    (void)f.tree->make(kRoot, "new", {EntryKind::File, 0644, {}, {}});
                });
            }
        };
        const auto list = f.changes();
        QCOMPARE(hashed, 1);
        QVERIFY(told);
        QVERIFY(made);
        QCOMPARE(list.size(), std::size_t{2});
        QVERIFY(list[0].kind == ChangeKind::Modified && list[0].contentChanged);
    }

    void aWriteWhileItIsHashedIsNotMissed() {
        Inside f;
        writeFile(f.host / "a", "text");
        const auto a = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(a, 0, asBytes("text"))); // the same again
        int hashed = 0;
        bool wrote = false;
        f.tree->m_inTheMidst = [&](WorktreeImpl::Midst) {
            if (hashed++ == 0) {
                wrote = comesBack([&] { (void)f.tree->write(a, 0, asBytes("work")); });
            }
        };
        QCOMPARE(f.changes().size(), std::size_t{1});
        QVERIFY(wrote);
        QVERIFY(f.tree->write(a, 0, asBytes("text")));
        f.tree->m_inTheMidst = {};
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    // A program that never stops writing: the listing does not wait for it, and tells a change.
    void aFileThatIsWrittenOnAndOnIsTold() {
        Inside f;
        writeFile(f.host / "a", "text");
        const auto a = f.tree->lookup(kRoot, "a")->node;
        QVERIFY(f.tree->write(a, 0, asBytes("text")));
        f.tree->m_inTheMidst = [&](WorktreeImpl::Midst) {
            (void)comesBack([&] { (void)f.tree->write(a, 0, asBytes("text")); });
        };
        QCOMPARE(f.changes().size(), std::size_t{1});
        f.tree->m_inTheMidst = {};
        QCOMPARE(f.changes().size(), std::size_t{0}); // once it is still
    }
};

} // namespace carrel::worktree

using carrel::worktree::TestWorktreeWork;
QTEST_GUILESS_MAIN(TestWorktreeWork)
#include "test_worktree_work.moc"
