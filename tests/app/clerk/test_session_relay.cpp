// SPDX-License-Identifier: Apache-2.0
// One command's streams between a guest and a caller: in order, with back-pressure, and nothing from either
// side but what it may say. The relay's loop, the guest and the caller take turns on one thread.
#include "app/clerk/session_relay.h"
#include "tests/app/clerk/mux_peer.h"

#include <QTest>
#include <boost/json/serialize.hpp>

#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

namespace {

constexpr std::uint32_t kSession = 7; // the guest's number for it; the caller's is always kLocalSession

std::uint32_t inGuest(std::uint32_t part) {
    return kSession * control::kSessionStreams + part;
}
std::uint32_t atCaller(std::uint32_t part) {
    return kLocalSession * control::kSessionStreams + part;
}

std::pair<UniqueFd, UniqueFd> socketPair() {
    int ends[2] = {-1, -1};
    (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

struct World {
    World() {
        auto channel = socketPair();
        auto local = socketPair();
        guest = std::make_unique<MuxPeer>(std::move(channel.first), Side::Guest);
        caller = std::make_unique<MuxPeer>(std::move(local.first), Side::Host);
        caller->mux().beginLocal(kLocalEpochTag);
        for (const auto part : {control::kSessionStdout, control::kSessionStderr, control::kSessionStdin}) {
            caller->mux().openStream(atCaller(part), StreamKind::Bytes);
        }
        caller->mux().openStream(atCaller(control::kSessionControl), StreamKind::Messages);
        // As the clerk joins them.
        Mux::Events events;
        const auto part = [](std::uint32_t stream) { return stream % control::kSessionStreams; };
        events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
        events.data = [this, part](std::uint32_t s, Bytes&& data) {
            relay->guestData(part(s), std::move(data));
        };
        events.end = [this, part](std::uint32_t s) { relay->guestEnd(part(s)); };
        events.reset = [this, part](std::uint32_t s, std::uint32_t) { relay->guestReset(part(s)); };
        events.writable = [this, part](std::uint32_t s) { relay->guestWritable(part(s)); };
        terminals = ChannelPump::create(loop, std::move(channel.second), ChannelPump::Peer::Guest,
                                        std::move(events), {}, [](const std::string&) {});
        terminals->start();
        until([this] { return terminals->mux().isOpen(); });
        relay = SessionRelay::create(
            loop, kSession, std::move(local.second), terminals,
            [this](std::uint32_t, json::object outcome) { ended.push_back(std::move(outcome)); });
        started = relay->start({{"start", {{"argv", {"true"}}}}}).has_value() &&
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
            moved = (caller->fd() >= 0 && caller->pump()) || moved;
            if (!moved) {
                return done();
            }
        }
        return true;
    }
    void settle() {
        until([] { return false; });
    }
    void guestSays(const json::object& message) {
        QVERIFY(
            guest->mux().sendMessage(inGuest(control::kSessionControl), asBytes(json::serialize(message))));
    }
    void guestEndsOutput() {
        guest->mux().sendEnd(inGuest(control::kSessionStdout));
        guest->mux().sendEnd(inGuest(control::kSessionStderr));
    }
    void callerSays(std::string_view text) {
        QVERIFY(caller->mux().sendMessage(atCaller(control::kSessionControl), asBytes(text)));
    }
    std::vector<std::string>& toldGuest() {
        return guest->streams[inGuest(control::kSessionControl)].messages;
    }
    std::vector<std::string>& toldCaller() {
        return caller->streams[atCaller(control::kSessionControl)].messages;
    }

    boost::asio::io_context loop;
    std::unique_ptr<MuxPeer> guest;
    std::unique_ptr<MuxPeer> caller;
    std::shared_ptr<ChannelPump> terminals;
    std::shared_ptr<SessionRelay> relay;
    std::vector<json::object> ended;
    bool started = false;
};

std::string numbered(std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i) {
        text += std::to_string(i) + ",";
    }
    text.resize(bytes);
    return text;
}

} // namespace

class TestSessionRelay : public QObject {
    Q_OBJECT
private slots:
    void outputArrivesBeforeTheEnd() {
        World world;
        QVERIFY(world.started);
        QCOMPARE(world.toldGuest(), std::vector<std::string>{R"({"start":{"argv":["true"]}})"});
        world.guestSays({{"started", json::object{}}, {"more", "of the guest's"}});
        const std::string out = numbered(200'000);
        QVERIFY(world.guest->mux().sendBytes(inGuest(control::kSessionStdout), asBytes(out)));
        QVERIFY(
            world.guest->mux().sendBytes(inGuest(control::kSessionStderr), asBytes(std::string("warning"))));
        world.guestEndsOutput();
        world.guestSays({{"exit", {{"code", 3}}}});
        QVERIFY(world.until([&] { return !world.ended.empty(); }));
        world.settle();
        QCOMPARE(world.ended.size(), std::size_t{1});
        QCOMPARE(world.ended[0].at("code").to_number<int>(), 3);
        QVERIFY(world.caller->streams[atCaller(control::kSessionStdout)].bytes == out);
        QCOMPARE(world.caller->streams[atCaller(control::kSessionStderr)].bytes, std::string("warning"));
        QVERIFY(world.caller->streams[atCaller(control::kSessionStdout)].ended);
        const std::vector<std::string> expected{R"({"started":{}})", R"({"exit":{"code":3}})"};
        QCOMPARE(world.toldCaller(), expected); // rebuilt: nothing of the guest's own text
    }

    void inputArrivesAndEnds() {
        World world;
        const std::string text = numbered(100'000);
        QVERIFY(world.caller->mux().sendBytes(atCaller(control::kSessionStdin), asBytes(text)));
        world.caller->mux().sendEnd(atCaller(control::kSessionStdin));
        auto& input = world.guest->streams[inGuest(control::kSessionStdin)];
        QVERIFY(world.until([&] { return input.ended; }));
        QVERIFY(input.bytes == text);
        QVERIFY(world.ended.empty());
    }

    // Who reads nothing stops his own session's sender, after a bounded amount; and all of it arrives later.
    void aCallerThatReadsNothingStopsTheGuest() {
        World world;
        auto& guestMux = world.guest->mux();
        const auto stream = inGuest(control::kSessionStdout);
        const std::string all = numbered(4'000'000);
        QVERIFY(guestMux.sendBytes(stream, asBytes(all)));
        world.settle();
        auto& out = world.caller->streams[atCaller(control::kSessionStdout)];
        QVERIFY(out.bytes.size() < all.size() / 2);
        QVERIFY(guestMux.queued(stream) > all.size() / 2); // it is still the guest's
        QVERIFY(world.until([&] {
            world.caller->giveBack(atCaller(control::kSessionStdout));
            return out.bytes.size() == all.size();
        }));
        QVERIFY(out.bytes == all);
    }
    void aCommandThatReadsNothingStopsTheCaller() {
        World world;
        auto& callerMux = world.caller->mux();
        const auto stream = atCaller(control::kSessionStdin);
        const std::string all = numbered(4'000'000);
        QVERIFY(callerMux.sendBytes(stream, asBytes(all)));
        world.settle();
        auto& input = world.guest->streams[inGuest(control::kSessionStdin)];
        QVERIFY(input.bytes.size() < all.size() / 2);
        QVERIFY(callerMux.queued(stream) > all.size() / 2);
        QVERIFY(world.until([&] {
            world.guest->giveBack(inGuest(control::kSessionStdin));
            return input.bytes.size() == all.size();
        }));
        QVERIFY(input.bytes == all);
    }

    void signalsAndSizesPass() {
        World world;
        world.callerSays(R"({"signal":2})");
        world.callerSays(R"({"resize":{"rows":40,"cols":100}})");
        world.settle();
        const std::vector<std::string> expected{R"({"start":{"argv":["true"]}})", R"({"signal":2})",
                                                R"({"resize":{"rows":40,"cols":100}})"};
        QCOMPARE(world.toldGuest(), expected);
        QVERIFY(world.ended.empty());
    }

    void nonsenseOfTheCallerEndsTheSession_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("not JSON") << QByteArray("{");
        QTest::newRow("another start") << QByteArray(R"({"start":{"argv":["rm"]}})");
        QTest::newRow("a signal that is none") << QByteArray(R"({"signal":65})");
        QTest::newRow("a signal in words") << QByteArray(R"({"signal":"INT"})");
        QTest::newRow("a field more") << QByteArray(R"({"signal":2,"pid":1})");
        QTest::newRow("a size without columns") << QByteArray(R"({"resize":{"rows":40}})");
        QTest::newRow("nothing") << QByteArray("{}");
    }
    void nonsenseOfTheCallerEndsTheSession() {
        QFETCH(QByteArray, text);
        World world;
        world.callerSays(text.toStdString());
        world.settle();
        QCOMPARE(world.toldGuest().size(), std::size_t{1}); // the start, and nothing of that
        QVERIFY(world.guest->streams[inGuest(control::kSessionControl)].reset);
        QCOMPARE(world.ended.size(), std::size_t{1});
        QVERIFY(world.ended[0].contains("error"));
    }
    void bytesThatAreNoFramesEndTheSession() {
        World world;
        const std::string junk(100, 'x');
        QCOMPARE(::write(world.caller->fd(), junk.data(), junk.size()), static_cast<ssize_t>(junk.size()));
        world.settle();
        QVERIFY(world.guest->streams[inGuest(control::kSessionControl)].reset);
        QCOMPARE(world.ended.size(), std::size_t{1});
        QVERIFY(world.terminals->mux().isOpen()); // the other sessions go on
    }
    void aCallerThatLeavesEndsTheCommand() {
        World world;
        world.caller->hangUp();
        world.settle();
        QVERIFY(world.guest->streams[inGuest(control::kSessionControl)].reset);
        QCOMPARE(world.ended.size(), std::size_t{1});
        QVERIFY(world.ended[0].contains("error"));
    }

    void nonsenseOfTheGuestIsAnError_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("not JSON") << QByteArray("}");
        QTest::newRow("nothing") << QByteArray("{}");
        QTest::newRow("a status beyond all") << QByteArray(R"({"exit":{"code":256}})");
        QTest::newRow("both") << QByteArray(R"({"exit":{"code":1,"signal":2}})");
        QTest::newRow("neither") << QByteArray(R"({"exit":{}})");
    }
    void nonsenseOfTheGuestIsAnError() {
        QFETCH(QByteArray, text);
        World world;
        QVERIFY(
            world.guest->mux().sendMessage(inGuest(control::kSessionControl), asBytes(text.toStdString())));
        world.settle();
        QCOMPARE(world.ended.size(), std::size_t{1});
        QVERIFY(world.ended[0].contains("error"));
        QCOMPARE(world.toldCaller().size(), std::size_t{1});
        QVERIFY(world.toldCaller()[0].starts_with(R"({"error":)"));
    }
    void aLostGuestIsTold() {
        World world;
        world.relay->guestGone("the agent's machine stopped");
        world.settle();
        QCOMPARE(world.ended.size(), std::size_t{1});
        QCOMPARE(world.toldCaller().size(), std::size_t{1});
        QVERIFY(world.toldCaller()[0].find("the agent's machine stopped") != std::string::npos);
        world.relay->guestGone("again");
        QCOMPARE(world.ended.size(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(TestSessionRelay)
#include "test_session_relay.moc"
