// SPDX-License-Identifier: Apache-2.0
// What the clerk tells the engine about first reads: every one once, and no batch too long for the link,
// whatever the names are.
#include "app/clerk/file_service.h"
#include "app/clerk/link.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"
#include "tests/app/clerk/guest_side.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/serialize.hpp>

#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>

using namespace carrel;
using namespace carrel::clerk;
using lower::Opcode;
namespace json = boost::json;
namespace side = carrel::clerk::test;

namespace {

constexpr std::uint32_t kShare = 3;

struct World {
    explicit World(const std::string& folder) { good = add(kShare, folder); }
    bool add(std::uint32_t id, const std::string& folder) {
        ShareToServe share;
        share.id = id;
        share.name = "papers";
        return files
            .add(share, 2, UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                 side::tableFile())
            .has_value();
    }
    // Waits for what was put off until the file is old enough to be read.
    side::Answer ask(Opcode opcode, std::uint64_t node, ByteSpan body, std::uint32_t share = kShare) {
        reply.reset();
        files.receive(share, side::message(opcode, node, body));
        for (int i = 0; i < 1000 && !reply; ++i) {
            loop.restart();
            (void)loop.run_one_for(std::chrono::milliseconds(20));
        }
        return side::parse(reply);
    }
    std::uint64_t node(std::uint64_t parent, std::string name, std::uint32_t share = kShare) {
        name.push_back('\0');
        return ask(Opcode::Lookup, parent, asBytes(name), share).as<lower::EntryOut>().nodeid;
    }

    boost::asio::io_context loop;
    std::optional<Bytes> reply;
    std::vector<json::object> batches;
    bool good = false;
    std::optional<FileService::Verdict> verdict =
        FileService::Verdict::Recorded; // nothing: the engine is silent
    Status answered;
    FileService files{loop,
                      {[this](std::uint32_t, Bytes&& message) {
                           if (loadLe<lower::OutHeader>(message).unique != 0) {
                               reply = std::move(message);
                           }
                       },
                       [this](json::object batch) {
                           batches.push_back(std::move(batch));
                           if (verdict) {
                               const auto number = batches.back().at("batch").to_number<std::uint64_t>();
                               boost::asio::post(
                                   loop, [this, number] { answered = files.recorded(number, *verdict); });
                           }
                       },
                       [](const std::string&) {}}};
};

} // namespace

class TestFileService : public QObject {
    Q_OBJECT
private slots:
    // I5: no record, no read.
    void aFirstReadWaitsForItsRecord() {
        const QTemporaryDir folder;
        const auto path = folder.path().toStdString();
        for (const char* name : {"/a", "/b", "/c"}) {
            const UniqueFd file(::open((path + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), "x", 1), ssize_t{1});
        }
        World world(path);
        const auto a = world.node(lower::kRootNode, "a");
        const auto b = world.node(lower::kRootNode, "b");
        const auto c = world.node(lower::kRootNode, "c");
        world.verdict.reset();
        // Put off until its file is old enough, then until it is recorded: the engine is asked, and says
        // nothing.
        world.files.receive(kShare, side::message(Opcode::Read, a, side::readBody(0, 10)));
        for (int i = 0; i < 1000 && world.batches.empty(); ++i) {
            world.loop.restart();
            (void)world.loop.run_one_for(std::chrono::milliseconds(20));
        }
        QCOMPARE(world.batches.size(), std::size_t{1});
        world.loop.restart();
        (void)world.loop.poll();
        world.reply.reset();
        // Others wait behind it.
        world.files.receive(kShare, side::message(Opcode::Read, b, side::readBody(0, 10)));
        world.files.receive(kShare, side::message(Opcode::Read, c, side::readBody(0, 10)));
        world.loop.restart();
        (void)world.loop.poll();
        QVERIFY(!world.reply);
        QCOMPARE(world.batches.size(), std::size_t{1});
        const auto number = world.batches[0].at("batch").to_number<std::uint64_t>();
        QVERIFY(
            !world.files.recorded(number + 1, FileService::Verdict::Recorded)); // none that was asked about
        QVERIFY(!world.reply);
        QVERIFY(world.files.recorded(number, FileService::Verdict::Recorded));
        QVERIFY(world.reply && side::parse(world.reply).body.size() == 1);
        QVERIFY(!world.files.recorded(number, FileService::Verdict::Recorded)); // once
        // Whether they are asked about together depends on when each of them is old enough to be read.
        std::size_t refused = 0;
        for (int i = 0; i < 1000 && refused < 2; ++i) {
            world.loop.restart();
            (void)world.loop.run_one_for(std::chrono::milliseconds(20));
            if (world.batches.size() > 1) {
                const auto batch = world.batches.back();
                world.batches.pop_back();
                world.reply.reset();
                QVERIFY(world.files.recorded(batch.at("batch").to_number<std::uint64_t>(),
                                             FileService::Verdict::NotRecorded));
                QCOMPARE(side::parse(world.reply).error, EIO);
                refused += batch.at("files").as_array().size();
            }
        }
        QCOMPARE(refused, std::size_t{2});
        // Refused once is not for ever.
        world.verdict = FileService::Verdict::Recorded;
        QCOMPARE(world.ask(Opcode::Read, b, side::readBody(0, 10)).body.size(), std::size_t{1});
        QCOMPARE(world.batches.size(), std::size_t{2});
    }

    // A share that is gone by now is refused with its whole batch: nobody else's reads may be in it.
    void aBatchIsOfOneShare() {
        const QTemporaryDir folder;
        const auto path = folder.path().toStdString();
        for (const char* name : {"/a", "/b", "/c"}) {
            const UniqueFd file(::open((path + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), "x", 1), ssize_t{1});
        }
        World world(path);
        constexpr std::uint32_t kOther = kShare + 1;
        QVERIFY(world.add(kOther, path));
        std::vector<std::uint64_t> nodes;
        for (const char* name : {"a", "b", "c"}) {
            nodes.push_back(world.node(lower::kRootNode, name));
            QCOMPARE(world.node(lower::kRootNode, name, kOther),
                     nodes.back()); // the same names, looked up in the same order
        }
        for (const auto node : nodes) {
            world.files.receive(kShare, side::message(Opcode::Read, node, side::readBody(0, 10)));
            world.files.receive(kOther, side::message(Opcode::Read, node, side::readBody(0, 10)));
        }
        std::map<std::int64_t, std::size_t> files;
        for (int i = 0; i < 1000 && files[kShare] + files[kOther] < 2 * nodes.size(); ++i) {
            world.loop.restart();
            (void)world.loop.run_one_for(std::chrono::milliseconds(20));
            files.clear();
            for (const auto& batch : world.batches) {
                const auto& items = batch.at("files").as_array();
                for (const auto& item : items) {
                    QCOMPARE(item.at("share").to_number<std::int64_t>(),
                             items[0].at("share").to_number<std::int64_t>());
                }
                files[items[0].at("share").to_number<std::int64_t>()] += items.size();
            }
        }
        QCOMPARE(files[kShare], nodes.size());
        QCOMPARE(files[kOther], nodes.size());
    }

    // A guest that opens epoch after epoch and asks each time: the list of what is to be written down stays
    // as long as what one epoch can ask.
    void aNewEpochForgetsWhatWasNotAskedYet() {
        const QTemporaryDir folder;
        const auto path = folder.path().toStdString();
        for (const char* name : {"/a", "/b"}) {
            const UniqueFd file(::open((path + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), "x", 1), ssize_t{1});
        }
        World world(path);
        const auto a = world.node(lower::kRootNode, "a");
        const auto b = world.node(lower::kRootNode, "b");
        world.verdict.reset();
        world.files.receive(kShare, side::message(Opcode::Read, a, side::readBody(0, 10)));
        for (int i = 0; i < 1000 && world.batches.empty(); ++i) {
            world.loop.restart();
            (void)world.loop.run_one_for(std::chrono::milliseconds(20));
        }
        QCOMPARE(world.batches.size(), std::size_t{1}); // the engine is silent about it
        for (int epoch = 0; epoch < 20; ++epoch) {
            world.files.receive(kShare, side::message(Opcode::Read, b, side::readBody(0, 10)));
            for (int i = 0; i < 10; ++i) {
                world.loop.restart();
                (void)world.loop.run_one_for(std::chrono::milliseconds(20));
            }
            world.files.newEpoch();
        }
        QVERIFY(world.files.recorded(world.batches[0].at("batch").to_number<std::uint64_t>(),
                                     FileService::Verdict::Recorded));
        world.loop.restart();
        (void)world.loop.poll();
        QCOMPARE(world.batches.size(), std::size_t{1}); // nobody waits for b
        world.verdict = FileService::Verdict::Recorded;
        QCOMPARE(world.ask(Opcode::Read, b, side::readBody(0, 10)).body.size(), std::size_t{1});
        QCOMPARE(world.batches.size(), std::size_t{2});
        QCOMPARE(world.batches[1].at("files").as_array().size(), std::size_t{1});
    }

    // The files channel is taken from a clerk while something it asked for is still to come; a guest says when.
    void nothingComesAfterItsEnd() {
        for (const bool asks : {true, false}) { // it was about to ask the engine, or to look again
            const QTemporaryDir folder;
            const auto path = folder.path().toStdString();
            boost::asio::io_context loop;
            int asked = 0;
            std::optional<Bytes> reply;
            auto files = std::make_unique<FileService>(
                loop, FileService::Events{[&](std::uint32_t, Bytes&& message) { reply = std::move(message); },
                                          [&](const json::object&) { ++asked; }, [](const std::string&) {}});
            ShareToServe share;
            share.id = kShare;
            share.name = "papers";
            QVERIFY(files->add(share, 2, UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), side::tableFile()));
            const UniqueFd file(::open((path + "/f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), "x", 1), ssize_t{1});
            files->receive(kShare, side::message(Opcode::Lookup, lower::kRootNode, asBytes(std::string_view("f\0", 2))));
            const auto node = side::parse(reply).as<lower::EntryOut>().nodeid;
            reply.reset();
            boost::asio::steady_timer first(loop, std::chrono::steady_clock::now());
            if (asks) {
                std::this_thread::sleep_for(kQuietWithWriter + std::chrono::milliseconds(100)); // old enough to be read
                boost::asio::post(loop, [&] { files.reset(); });
            } else {
                first.async_wait([&](const boost::system::error_code&) { files.reset(); });
            }
            files->receive(kShare, side::message(Opcode::Read, node, side::readBody(0, 10)));
            std::this_thread::sleep_for(kQuietWithWriter + std::chrono::milliseconds(100)); // both are due when the loop looks
            (void)loop.poll();
            QVERIFY(!files);
            QVERIFY(asked == 0 && !reply);
        }
    }

    // What a guest offers is checked; what fits one buffer of a port, or has no place, is in the reply as
    // ever.
    void bytesGoWhereTheGuestOffersRoom() {
        const QTemporaryDir folder;
        const auto path = folder.path().toStdString();
        const std::string text(10'000, 'x');
        {
            const UniqueFd file(::open((path + "/big").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            QCOMPARE(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        }
        constexpr std::uint64_t kSize = 64 * 1024;
        UniqueFd memory(::memfd_create("window", MFD_CLOEXEC));
        QCOMPARE(::ftruncate(memory.get(), kSize), 0);
        World world(path);
        world.files.setWindow(UniqueFd(::dup(memory.get())));
        const auto node = world.node(lower::kRootNode, "big");
        const auto read = [&](std::uint64_t offset, std::uint32_t size, std::uint64_t at) {
            return world.ask(Opcode::Read, node,
                             side::structBody(lower::ReadIn{at + 1, offset, size, 0, 0, 0, 0}));
        };
        const auto good = read(0, 16 * 1024, 4096);
        QCOMPARE(good.error, -lower::kInWindow);
        QCOMPARE(good.as<lower::WindowOut>().size, std::uint32_t(text.size()));
        std::string seen(kSize, '?');
        QCOMPARE(::pread(memory.get(), seen.data(), kSize, 0), ssize_t{kSize});
        QCOMPARE(seen, std::string(4096, '\0') + text + std::string(kSize - 4096 - text.size(), '\0'));
        // Ends beyond it, begins beyond it, wraps around.
        for (const std::uint64_t at : {kSize - text.size() + 1, kSize, UINT64_MAX - 1, UINT64_MAX - 5000}) {
            const auto reply = read(0, 16 * 1024, at);
            QCOMPARE(reply.error, 0);
            QCOMPARE(std::string(asText(reply.body)), text);
        }
        QCOMPARE(read(0, 16 * 1024, kSize - text.size()).error, -lower::kInWindow); // up to its last byte
        QCOMPARE(std::string(asText(read(0, 100, 0).body)), text.substr(0, 100));
        QCOMPARE(std::string(asText(read(9'000, 8'000, 0).body)), text.substr(9'000));
        struct stat info {};
        QCOMPARE(::fstat(memory.get(), &info), 0);
        QCOMPARE(info.st_size, off_t{kSize});
    }

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
