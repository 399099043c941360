// SPDX-License-Identifier: Apache-2.0
// The memory that the host writes to: each part of it is one read's alone, and none is lost for good.
#include "tests/guest/worktree/lower_peer.h"

#include <QTest>

#include <future>

using namespace carrel;
using namespace carrel::worktree;

class TestReadWindow : public QObject {
    Q_OBJECT
private slots:
    void noPartOfTheWindowIsLentTwice() {
        const Bytes memory(8 * 1024 * 1024);
        ReadWindow window(memory);
        QVERIFY(!window.lend(100));
        QVERIFY(!window.lend(lower::kMaxRead + 1));
        std::vector<ReadWindow::Part> lent;
        for (const std::uint32_t size : {8192U, lower::kMaxRead}) {
            while (auto part = window.lend(size)) {
                QVERIFY(part->size() >= size && part->offset() + part->size() <= memory.size());
                for (const auto& other : lent) {
                    QVERIFY(part->offset() + part->size() <= other.offset() ||
                            other.offset() + other.size() <= part->offset());
                }
                lent.push_back(std::move(*part));
            }
        }
        QVERIFY(lent.size() > 8);
        const auto offset = lent.back().offset();
        lent.pop_back();
        QCOMPARE(window.lend(lower::kMaxRead)->offset(), offset); // and back again
        window.lend(lower::kMaxRead)->abandon(3);
        QVERIFY(!window.lend(lower::kMaxRead)); // the host may still write there
        window.onEpoch(3);
        QVERIFY(!window.lend(lower::kMaxRead));
        window.onEpoch(4);
        auto again = window.lend(lower::kMaxRead);
        QVERIFY(again);
        window.onEpoch(3); // told late
        again->abandon(3); // likewise
        auto third = window.lend(lower::kMaxRead);
        QVERIFY(third);
        third->abandon(4);
        QVERIFY(!window.lend(lower::kMaxRead));
        const Bytes tiny(1000);
        QVERIFY(!ReadWindow(tiny).lend(8192));
    }

    // Nobody saw the end of what was given up, and the clerk that was asked may write there as long as it is the clerk.
    void whatWasGivenUpComesBackWithTheNextClerk() {
        const Bytes memory(8 * 1024 * 1024);
        const auto window = std::make_shared<ReadWindow>(memory);
        const auto free = [&] {
            std::vector<ReadWindow::Part> parts;
            while (auto part = window->lend(lower::kMaxRead)) {
                parts.push_back(std::move(*part));
            }
            return parts.size();
        };
        const auto all = free();
        QVERIFY(all > 4);
        std::size_t told = 0;
        Outbox outbox;
        ChannelLower gone(outbox.send(), kDoorTimeout, window);
        ChannelLower stays(outbox.send(), kDoorTimeout, window);
        gone.onEpoch(1);
        stays.onEpoch(1);
        const AheadRead one{5, lower::kMaxRead, [&](const SysResult<Bytes>& bytes) { told += bytes ? 0 : 1; }};
        gone.readAhead(std::vector(all - 1, one));
        auto call = std::async(std::launch::async, [&] { return gone.read(6, 0, lower::kMaxRead); });
        Asked asked;
        for (std::size_t i = 0; i < all + 2 && asked.head.nodeid != 6; ++i) { // what came before it, two INITs among it
            asked = outbox.next();
        }
        QVERIFY(asked.as<lower::ReadIn>().fh != 0);
        QCOMPARE(free(), std::size_t{0});
        gone.stop(); // the share was removed
        QVERIFY(!call.get());
        QCOMPARE(told, all - 1);
        QCOMPARE(free(), std::size_t{0});
        stays.onEpoch(1); // told again
        QCOMPARE(free(), std::size_t{0});
        stays.onEpoch(2);
        QCOMPARE(free(), all);
        QVERIFY(!gone.read(5, 0, lower::kMaxRead)); // never asked of anybody
        QCOMPARE(free(), all);
    }
};

QTEST_GUILESS_MAIN(TestReadWindow)
#include "test_read_window.moc"
