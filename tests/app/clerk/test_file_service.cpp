// SPDX-License-Identifier: Apache-2.0
// What the clerk tells the engine about first reads: every one once, and no batch too long for the link,
// whatever the names are.
#include "app/clerk/file_service.h"
#include "app/clerk/link.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"
#include "tests/app/clerk/guest_side.h"

#include <QTemporaryDir>
#include <QtTest>
#include <boost/json/serialize.hpp>

#include <sys/stat.h>

using namespace carrel;
using namespace carrel::clerk;
using lower::Opcode;
namespace json = boost::json;
namespace side = carrel::clerk::test;

namespace {

constexpr std::uint32_t kShare = 3;

struct World {
    explicit World(const std::string& folder) {
        ShareToServe share;
        share.id = kShare;
        share.name = "papers";
        good = files
                   .add(share, 1, UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                        side::tableFile())
                   .has_value();
    }
    // Waits for what was put off until the file is old enough to be read.
    side::Answer ask(Opcode opcode, std::uint64_t node, ByteSpan body) {
        reply.reset();
        files.receive(kShare, side::message(opcode, node, body));
        for (int i = 0; i < 1000 && !reply; ++i) {
            loop.restart();
            (void)loop.run_one_for(std::chrono::milliseconds(20));
        }
        return side::parse(reply);
    }
    std::uint64_t node(std::uint64_t parent, std::string name) {
        name.push_back('\0');
        return ask(Opcode::Lookup, parent, asBytes(name)).as<lower::EntryOut>().nodeid;
    }

    boost::asio::io_context loop;
    std::optional<Bytes> reply;
    std::vector<json::object> batches;
    bool good = false;
    FileService files{loop,
                      {[this](std::uint32_t, Bytes&& message) {
                           if (loadLe<lower::OutHeader>(message).unique != 0) {
                               reply = std::move(message);
                           }
                       },
                       [this](json::object batch) { batches.push_back(std::move(batch)); },
                       [](const std::string&) {}}};
};

} // namespace

class TestFileService : public QObject {
    Q_OBJECT
private slots:
    void noBatchIsTooLongForTheLink() {
        const QTemporaryDir folder;
        // As deep as a path may be, of names that JSON makes six times as long.
        const std::string step(250, '\x01');
        UniqueFd at(::open(folder.path().toStdString().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (int i = 0; i < 16; ++i) {
            QCOMPARE(::mkdirat(at.get(), step.c_str(), 0700), 0);
            at = UniqueFd(::openat(at.get(), step.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
        constexpr int kFiles = 20;
        for (int i = 0; i < kFiles; ++i) {
            const UniqueFd file(
                ::openat(at.get(), std::to_string(i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), "x", 1), ssize_t{1});
        }
        std::size_t told = 0;
        {
            World world(folder.path().toStdString());
            QVERIFY(world.good);
            std::uint64_t deepest = lower::kRootNode;
            for (int i = 0; i < 16; ++i) {
                deepest = world.node(deepest, step);
            }
            for (int i = 0; i < kFiles; ++i) {
                const auto node = world.node(deepest, std::to_string(i));
                QCOMPARE(world.ask(Opcode::Read, node, side::readBody(0, 10)).body.size(), std::size_t{1});
                QCOMPARE(world.ask(Opcode::Read, node, side::readBody(0, 10)).body.size(), std::size_t{1});
            }
            for (int i = 0; i < 1000 && told < kFiles; ++i) {
                world.loop.restart();
                (void)world.loop.run_one_for(std::chrono::milliseconds(20));
                told = 0;
                for (const auto& batch : world.batches) {
                    told += batch.at("files").as_array().size();
                }
            }
            for (const auto& batch : world.batches) {
                const auto text = toText(RpcRequest{std::nullopt, "file.read", batch});
                QVERIFY2(text.size() <= kMaxLinkMessage, std::to_string(text.size()).c_str());
                QVERIFY(parseRpc(text, {kMaxLinkMessage, 12}));
            }
        }
        QCOMPARE(told, std::size_t{kFiles});
    }
};

QTEST_GUILESS_MAIN(TestFileService)
#include "test_file_service.moc"
