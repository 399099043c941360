// SPDX-License-Identifier: Apache-2.0
// What a viewer's machine says of a document, honest or not: plain text of a bounded size goes on, or nothing does. The
// reader's loop and the guest take turns on one thread.
#include "app/clerk/document_reader.h"
#include "tests/app/clerk/mux_peer.h"

#include <QTest>
#include <boost/json.hpp>

#include <sys/mman.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

namespace {

constexpr std::uint32_t kSession = 9;
constexpr std::uint64_t kMost = 1000; // bytes of text

std::uint32_t inGuest(std::uint32_t part) {
    return kSession * control::kSessionStreams + part;
}

struct World {
    explicit World(const std::string& document = "the document") {
        int ends[2] = {-1, -1};
        (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
        guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        Mux::Events events;
        const auto part = [](std::uint32_t stream) { return stream % control::kSessionStreams; };
        events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
        events.data = [this, part](std::uint32_t s, Bytes&& data) { reader->guestData(part(s), std::move(data)); };
        events.end = [this, part](std::uint32_t s) { reader->guestEnd(part(s)); };
        events.reset = [this, part](std::uint32_t s, std::uint32_t) { reader->guestReset(part(s)); };
        events.writable = [this, part](std::uint32_t s) { reader->guestWritable(part(s)); };
        terminals = ChannelPump::create(loop, UniqueFd(ends[1]), ChannelPump::Peer::Guest, std::move(events), {}, [](const std::string&) {});
        terminals->start();
        until([this] { return terminals->mux().isOpen(); });
        UniqueFd from(::memfd_create("document", MFD_CLOEXEC));
        (void)!::pwrite(from.get(), document.data(), document.size(), 0);
        UniqueFd to(::memfd_create("text", MFD_CLOEXEC));
        text.reset(::dup(to.get()));
        reader = std::make_shared<DocumentReader>(
            kSession, terminals, DocumentReader::Setup{std::move(from), std::move(to), kMost},
            [this](std::uint32_t, Result<json::object> outcome) { outcomes.push_back(std::move(outcome)); });
        reader->start({"extract"});
        until([this] { return guest->streams.contains(inGuest(control::kSessionControl)); });
        for (const auto out : {control::kSessionStdout, control::kSessionStderr}) {
            guest->mux().openStream(inGuest(out), StreamKind::Bytes);
        }
    }
    // Everybody's turn until it is so; false when nothing moves any more and it is not.
    bool until(const std::function<bool()>& done) {
        while (!done()) {
            loop.restart();
            bool moved = loop.poll() > 0;
            moved = guest->pump() || moved;
            if (!moved) {
                return done();
            }
        }
        return true;
    }
    void settle() {
        until([] { return false; });
    }
    void says(std::uint32_t part, std::string_view bytes) { QVERIFY(guest->mux().sendBytes(inGuest(part), asBytes(bytes))); }
    void ends(const json::object& outcome) {
        guest->mux().sendEnd(inGuest(control::kSessionStdout));
        guest->mux().sendEnd(inGuest(control::kSessionStderr));
        QVERIFY(guest->mux().sendMessage(inGuest(control::kSessionControl), asBytes(json::serialize(outcome))));
        settle();
    }
    [[nodiscard]] std::string handedOn() const {
        std::string out(kMost * 2, '\0');
        const auto got = ::pread(text.get(), out.data(), out.size(), 0);
        out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return out;
    }
    [[nodiscard]] ErrorCode error() const {
        return outcomes.size() == 1 && !outcomes.front() ? outcomes.front().error().code : ErrorCode::Internal;
    }

    boost::asio::io_context loop;
    std::unique_ptr<MuxPeer> guest;
    std::shared_ptr<ChannelPump> terminals;
    std::shared_ptr<DocumentReader> reader;
    UniqueFd text;
    std::vector<Result<json::object>> outcomes;
};

const json::object kWell{{"exit", {{"code", 0}}}};

} // namespace

class TestDocumentReader : public QObject {
    Q_OBJECT
private slots:
    void handsOnText() {
        World world;
        QCOMPARE(world.guest->streams[inGuest(control::kSessionControl)].bytes,
                 std::string(R"({"start":{"argv":["extract"],"env":{},"cwd":"/","tty":null}})"));
        QCOMPARE(world.guest->streams[inGuest(control::kSessionStdin)].bytes, std::string("the document"));
        QVERIFY(world.guest->streams[inGuest(control::kSessionStdin)].ended);
        world.says(control::kSessionStdout, "one\ttwo\nthr");
        world.says(control::kSessionStderr, "noise\0noise");
        world.says(control::kSessionStdout, "ee — 3\n");
        world.settle();
        QVERIFY(world.outcomes.empty());
        world.ends(kWell);
        QCOMPARE(world.outcomes.size(), std::size_t{1});
        QCOMPARE(json::serialize(*world.outcomes.front()), std::string(R"({"code":0,"size":20,"cut":false})"));
        QCOMPARE(world.handedOn(), std::string("one\ttwo\nthree — 3\n"));
    }

    // The end may be told before the last of the output has come.
    void waitsForTheOutput() {
        World world;
        QVERIFY(world.guest->mux().sendMessage(inGuest(control::kSessionControl), asBytes(json::serialize(kWell))));
        world.settle();
        QVERIFY(world.outcomes.empty());
        world.says(control::kSessionStdout, "late\n");
        world.guest->mux().sendEnd(inGuest(control::kSessionStdout));
        world.settle();
        QCOMPARE(world.handedOn(), std::string("late\n"));
    }

    void whatIsNoText_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("not UTF-8") << QByteArray("good\n\xff\xfe");
        QTest::newRow("cut within a character") << QByteArray("caf\xc3");
        QTest::newRow("a NUL") << QByteArray("a\0b\n", 4);
        QTest::newRow("an escape") << QByteArray("\x1b[2J\n");
        QTest::newRow("a carriage return") << QByteArray("seen\rhidden\n");
        QTest::newRow("delete") << QByteArray("\x7f");
    }
    void whatIsNoText() {
        QFETCH(QByteArray, bytes);
        World world;
        world.says(control::kSessionStdout, {bytes.constData(), static_cast<std::size_t>(bytes.size())});
        world.ends(kWell);
        QVERIFY(world.error() == ErrorCode::Malformed);
        QVERIFY(world.handedOn().empty());
    }

    void endlessOutputIsCutAtALine() {
        World world;
        const std::string line = "a line of some length\n";
        for (std::size_t sent = 0; sent < 10 * kMost; sent += line.size()) {
            world.says(control::kSessionStdout, line);
        }
        world.settle();
        QCOMPARE(world.outcomes.size(), std::size_t{1}); // although it goes on
        QCOMPARE(world.outcomes.front()->at("cut"), json::value(true));
        QVERIFY(world.handedOn().size() <= kMost && world.handedOn().size() + line.size() > kMost);
        QVERIFY(world.handedOn().ends_with(line));
        QVERIFY(world.guest->streams[inGuest(control::kSessionControl)].reset); // which ends the command
    }

    void oneEndlessLineIsCutAtACharacter() {
        World world;
        std::string line;
        while (line.size() < 2 * kMost) {
            line += line.empty() ? "x" : "é"; // no bound falls between two of them
        }
        world.says(control::kSessionStdout, line);
        world.settle();
        QCOMPARE(world.outcomes.front()->at("cut"), json::value(true));
        QCOMPARE(world.handedOn(), line.substr(0, kMost - 1));
    }

    // More than the channel takes at once: what the guest has not taken waits in the file.
    void aLargeDocumentComesInPieces() {
        const std::string large(5'000'000, 'd');
        World world(large);
        auto& input = world.guest->streams[inGuest(control::kSessionStdin)];
        world.settle();
        QVERIFY(input.bytes.size() < large.size());
        while (!input.ended) {
            world.guest->giveBack(inGuest(control::kSessionStdin));
            world.settle();
        }
        QVERIFY(input.bytes == large);
    }

    void howItEnded_data() {
        QTest::addColumn<QByteArray>("said");
        QTest::addColumn<QByteArray>("told");
        QTest::newRow("a number") << QByteArray(R"({"exit":{"code":10}})") << QByteArray(R"({"code":10,"size":0,"cut":false})");
        QTest::newRow("a signal") << QByteArray(R"({"exit":{"signal":9}})") << QByteArray(R"({"signal":9,"size":0,"cut":false})");
    }
    void howItEnded() {
        QFETCH(QByteArray, said);
        QFETCH(QByteArray, told);
        World world;
        world.ends(json::parse(said.toStdString()).as_object());
        QCOMPARE(QByteArray::fromStdString(json::serialize(*world.outcomes.front())), told);
    }

    void nonsenseIsAnError_data() {
        QTest::addColumn<QByteArray>("said");
        QTest::newRow("both") << QByteArray(R"({"exit":{"code":0,"signal":9}})");
        QTest::newRow("neither") << QByteArray(R"({"exit":{}})");
        QTest::newRow("too large") << QByteArray(R"({"exit":{"code":256}})");
        QTest::newRow("something else") << QByteArray(R"({"text":"believe me"})");
        QTest::newRow("it did not start") << QByteArray(R"({"error":{"code":-32002,"message":"no such program","data":{"code":"not-found"}}})");
    }
    void nonsenseIsAnError() {
        QFETCH(QByteArray, said);
        World world;
        world.says(control::kSessionStdout, "some text\n");
        world.ends(json::parse(said.toStdString()).as_object());
        QCOMPARE(world.outcomes.size(), std::size_t{1});
        QVERIFY(!world.outcomes.front());
        QVERIFY(world.handedOn().empty());
    }

    void theMachineGoes() {
        World world;
        world.says(control::kSessionStdout, "half of it\n");
        world.settle();
        world.reader->guestGone("it stopped");
        QVERIFY(world.error() == ErrorCode::Unavailable);
        world.reader->guestGone("it stopped again");
        QCOMPARE(world.outcomes.size(), std::size_t{1});
        QVERIFY(world.handedOn().empty());
    }

    void theGuestBreaksOff() {
        World world;
        world.guest->mux().sendReset(inGuest(control::kSessionControl), 5);
        world.settle();
        QVERIFY(world.error() == ErrorCode::Unavailable);
    }
};

QTEST_GUILESS_MAIN(TestDocumentReader)
#include "test_document_reader.moc"
