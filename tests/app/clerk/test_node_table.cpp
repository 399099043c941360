// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/node_table.h"

#include <QTest>

#include <random>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace carrel;
using namespace carrel::clerk;

namespace {

UniqueFd emptyFile() {
    return UniqueFd(::memfd_create("nodes", MFD_CLOEXEC));
}
UniqueFd again(const UniqueFd& file) {
    return UniqueFd(::dup(file.get()));
}
BaseVersion version(std::uint64_t inode, std::int64_t mtime = 1) {
    return {inode, 10, mtime, mtime};
}
NodeId put(NodeTable& table, NodeId parent, const std::string& name, const BaseVersion& of,
           NodeType type = NodeType::File) {
    auto id = table.remember(parent, name, type, 5, of);
    return id ? *id : 0;
}

} // namespace

class TestNodeTable : public QObject {
    Q_OBJECT
private slots:
    void oneVersionOneNode() {
        auto table = NodeTable::adopt(emptyFile());
        QVERIFY(table);
        const NodeId first = put(*table, 1, "a", version(7, 1));
        QCOMPARE(put(*table, 1, "a", version(7, 1)), first);
        const NodeId second = put(*table, 1, "a", version(7, 2));
        QVERIFY(second > first);
        QCOMPARE(*table->current(1, "a"), second);
        QVERIFY(table->find(first)); // until it is forgotten
        QCOMPARE(table->find(first)->lookups, std::uint64_t{2});
        QVERIFY(!table->forget(first, 1));
        QVERIFY(table->forget(first, 1));
        QVERIFY(!table->find(first));
        table->supersede(second);
        QVERIFY(put(*table, 1, "a", version(7, 2)) > second);
        QCOMPARE(put(*table, 999, "a", version(1)), NodeId{0}); // no such folder
        QCOMPARE(put(*table, 1, "..", version(1)), NodeId{0});
        const NodeId folder = put(*table, 1, "d", version(8, 1), NodeType::Directory);
        QCOMPARE(put(*table, 1, "d", version(8, 2), NodeType::Directory), folder);
    }

    void successorKnowsTheSame() {
        const UniqueFd file = emptyFile();
        std::map<NodeId, std::string> all;
        NodeId folder = 0;
        NodeId highest = 0;
        {
            auto table = NodeTable::adopt(again(file));
            folder = put(*table, 1, std::string(255, 'd'), version(2), NodeType::Directory);
            for (std::uint64_t i = 0; i < 3000; ++i) {
                const std::string unique = std::to_string(i) + std::string(i % 200, 'n');
                all[put(*table, folder, unique, version(i))] = unique;
            }
            highest = all.rbegin()->first;
            QVERIFY(table->forget(highest, 1)); // its number is used up all the same
            all.erase(highest);
            table->setFlags(all.begin()->first, kNodeFirstReadSeen);
        }
        auto table = NodeTable::adopt(again(file));
        QVERIFY(table && table->wasTakenOver());
        QCOMPARE(table->size(), all.size() + 1);
        for (const auto& [id, name] : all) {
            const auto path = table->path(id);
            QVERIFY(path && path->size() == 2 && (*path)[1] == name);
            QCOMPARE(*table->current(folder, name), id);
        }
        QCOMPARE(table->find(all.begin()->first)->flags, std::uint32_t{kNodeFirstReadSeen});
        QVERIFY(put(*table, 1, "new", version(1)) > highest);
    }

    // A child is killed at whatever instant it had reached; what it reported as given out must be there.
    void killedAtAnyInstant() {
        for (int round = 0; round < 8; ++round) {
            const UniqueFd file = emptyFile();
            auto* reported = static_cast<volatile NodeId*>(
                ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
            const pid_t child = ::fork();
            if (child == 0) {
                auto table = NodeTable::adopt(again(file));
                for (std::uint64_t i = 0;; ++i) {
                    reported[0] = put(*table, 1, "name" + std::to_string(i), version(i));
                    reported[1] = i;
                }
            }
            while (reported[1] < static_cast<NodeId>(round) * 300 + 1) {
                ::usleep(100);
            }
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
            auto table = NodeTable::adopt(again(file));
            QVERIFY(table);
            for (std::uint64_t i = 0; i <= reported[1]; ++i) {
                QVERIFY(table->current(1, "name" + std::to_string(i)));
            }
            const NodeId last = reported[0];
            QVERIFY(put(*table, 1, "next", version(1)) > last);
            ::munmap(const_cast<NodeId*>(reported), 4096);
        }
    }

    // Whatever stands in the file: no crash, no loop, and a node is the one it was or none.
    void damageLosesNodesOnly() {
        std::mt19937_64 random(4711);
        for (int round = 0; round < 60; ++round) {
            const UniqueFd file = emptyFile();
            std::map<NodeId, std::string> all;
            {
                auto table = NodeTable::adopt(again(file));
                NodeId parent = 1;
                for (std::uint64_t i = 0; i < 400; ++i) {
                    const NodeId id =
                        put(*table, parent, "x" + std::to_string(i), version(i), NodeType::Directory);
                    all[id] = "x" + std::to_string(i);
                    parent = i % 3 == 0 ? id : parent;
                }
            }
            struct stat info {};
            QCOMPARE(::fstat(file.get(), &info), 0);
            for (int i = 0; i < 300; ++i) {
                const std::uint64_t junk = random() >> (random() % 64);
                // Every other round also hits the header's next number, never its mark.
                const std::uint64_t from = round % 2 == 0 ? 65536 : sizeof(std::uint64_t);
                const std::uint64_t size = 1 + random() % sizeof junk;
                const std::uint64_t at =
                    from + random() % (static_cast<std::uint64_t>(info.st_size) - from - size);
                QCOMPARE(::pwrite(file.get(), &junk, size, static_cast<off_t>(at)),
                         static_cast<ssize_t>(size));
            }
            auto table = NodeTable::adopt(again(file));
            QVERIFY(table);
            table->forEach([&](const Node& node) {
                QVERIFY(all.count(node.id) == 1 && all[node.id] == node.name);
                (void)table->path(node.id);
            });
            QVERIFY(table->size() < all.size()); // 300 hits in 400 records do hit
            QVERIFY(put(*table, 1, "next", version(1)) != 0);
        }
    }

    void bounds() {
        auto table = NodeTable::adopt(emptyFile(), {10, kMaxTableBytes});
        for (std::uint64_t i = 0; i < 10; ++i) {
            QVERIFY(put(*table, 1, std::to_string(i), version(i)) != 0);
        }
        const auto refused = table->remember(1, "more", NodeType::File, 5, version(99));
        QVERIFY(!refused && refused.error().code == ErrorCode::LimitExceeded);
        QVERIFY(table->forget(*table->current(1, "3"), 1));
        QVERIFY(put(*table, 1, "more", version(99)) != 0);
    }

    void notATable() {
        const UniqueFd file = emptyFile();
        QCOMPARE(::ftruncate(file.get(), 200000), 0);
        QCOMPARE(::pwrite(file.get(), "rubbish!", 8, 0), ssize_t{8});
        const auto refused = NodeTable::adopt(again(file));
        QVERIFY(!refused && refused.error().code == ErrorCode::Malformed);
    }
};

QTEST_GUILESS_MAIN(TestNodeTable)
#include "test_node_table.moc"
