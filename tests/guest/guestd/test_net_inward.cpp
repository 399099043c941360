// SPDX-License-Identifier: Apache-2.0
// Connections from the host to servers of the agent's own, at guestd: the servers are the test's, on this machine's loopback, and so
// is the host at the other end of the channel.
#include "guest/guestd/net_service.h"
#include "tests/guest/guestd/channel_pair.h"

#include <QTest>

#include <netinet/in.h>

using namespace carrel;
using namespace carrel::guestd;
using carrel::test::ChannelPair;

namespace {

constexpr std::uint32_t kFirst = net::kFirstHostStream;

struct Server {
    explicit Server(int family = AF_INET) {
        listener = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 name{};
        socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
        name.sin6_family = static_cast<sa_family_t>(family);
        if (family == AF_INET6) {
            const int yes = 1;
            (void)::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
            name.sin6_addr = in6addr_loopback;
        } else {
            reinterpret_cast<sockaddr_in&>(name).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        auto* const at = reinterpret_cast<sockaddr*>(&name);
        there = ::bind(listener.get(), at, size) == 0 && ::listen(listener.get(), 100) == 0 && ::getsockname(listener.get(), at, &size) == 0;
        port = ntohs(name.sin6_port); // at the same place in both
    }
    [[nodiscard]] UniqueFd accept() const {
        UniqueFd out(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const timeval patience{30, 0}; // a guard: what is expected comes at once
        (void)::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        return out;
    }
    UniqueFd listener;
    std::uint16_t port = 0;
    bool there = false;
};

QByteArray take(const UniqueFd& socket, std::size_t most) {
    QByteArray all;
    std::array<char, 65536> buffer;
    while (static_cast<std::size_t>(all.size()) < most) {
        const ssize_t got = ::recv(socket.get(), buffer.data(), std::min(buffer.size(), most - static_cast<std::size_t>(all.size())), 0);
        if (got <= 0) {
            return all + (got < 0 ? "!" : "$");
        }
        all.append(buffer.data(), got);
    }
    return all;
}

QByteArray wire(const auto& head) {
    const auto bytes = net::toWire(head);
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}
const QByteArray kOpen = wire(net::Answer{net::Outcome::Open, {}});

struct World {
    explicit World(bool isSteered = true)
        : steered(isSteered) {
        service.connect(*host.channel);
        ready = service.start().has_value() && host.channel->start().has_value();
        service.adopt(UniqueFd());
        service.waitUntilServed();
        ready = ready && host.open();
    }
    ~World() {
        host.channel->stop();
        service.stop();
    }
    void say(std::uint32_t id, const QByteArray& bytes) {
        (void)host.mux().sendBytes(id, asBytes({bytes.constData(), std::size_t(bytes.size())})).has_value();
    }
    void open(std::uint32_t id, std::uint16_t port) {
        host.mux().openStream(id, StreamKind::Bytes);
        say(id, wire(net::Inward{port}));
    }
    bool comes(std::uint32_t id, const QByteArray& bytes) {
        return host.until([&] { return host.streams[id].bytes == bytes; });
    }
    void flush() {
        (void)host.until([] { return true; });
    }

    bool steered;
    NetService service{{.steer = [this](int) -> Result<NetSockets> {
        return steered ? Result<NetSockets>(NetSockets{}) : fail(ErrorCode::Unavailable, "no world");
    }}};
    ChannelPair host{[](std::uint32_t) { return StreamKind::Bytes; },
                     {"network", NetService::accept, [this](ChannelEvent&& event) { service.handle(std::move(event)); }}};
    bool ready = false;
};

} // namespace

class TestNetInward : public QObject {
    Q_OBJECT
private slots:
    void bytesGoBothWaysAndEachHalfEnds() {
        const Server server;
        World world;
        QVERIFY(world.ready && server.there);
        world.open(kFirst, server.port);
        world.say(kFirst, "question"); // before anybody has said that it stands
        world.flush();
        const auto other = server.accept();
        QCOMPARE(take(other, 8), QByteArray("question"));
        QVERIFY(world.comes(kFirst, kOpen));
        QCOMPARE(::send(other.get(), "answer", 6, MSG_NOSIGNAL), ssize_t{6});
        QVERIFY(world.comes(kFirst, kOpen + "answer"));
        world.host.mux().sendEnd(kFirst);
        world.flush();
        QCOMPARE(take(other, 1), QByteArray("$"));
        QCOMPARE(::send(other.get(), ", all", 5, MSG_NOSIGNAL), ssize_t{5});
        QVERIFY(::shutdown(other.get(), SHUT_WR) == 0);
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst].ended; }));
        QCOMPARE(world.host.streams[kFirst].bytes, kOpen + "answer, all");
    }

    void aHeadInPieces() {
        const Server server;
        World world;
        world.host.mux().openStream(kFirst, StreamKind::Bytes);
        for (const char each : wire(net::Inward{server.port})) {
            world.say(kFirst, QByteArray(1, each));
            world.flush();
        }
        QVERIFY(world.comes(kFirst, kOpen));
    }

    void aServerOfVersionSixAlone() {
        const Server server(AF_INET6);
        if (!server.there) {
            QSKIP("there is no ::1 here");
        }
        World world;
        world.open(kFirst, server.port);
        QVERIFY(world.comes(kFirst, kOpen));
        world.say(kFirst, "x");
        world.flush();
        QCOMPARE(take(server.accept(), 1), QByteArray("x"));
    }

    void nobodyListens() {
        auto gone = std::make_unique<Server>();
        const auto port = gone->port;
        gone.reset();
        World world;
        world.open(kFirst, port);
        world.say(kFirst, "into the void");
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst].ended; }));
        QCOMPARE(world.host.streams[kFirst].bytes, wire(net::Answer{net::Outcome::Refused, {}}));
        world.host.mux().sendReset(kFirst, ECONNREFUSED);
        const Server server; // and another one finds its server
        world.open(kFirst + 1, server.port);
        QVERIFY(world.comes(kFirst + 1, kOpen));
    }

    void withoutAWorldNothingIsConnectedTo() {
        const Server server;
        World world(false);
        world.open(kFirst, server.port);
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst].ended; }));
        QCOMPARE(world.host.streams[kFirst].bytes, wire(net::Answer{net::Outcome::Unreachable, {}}));
    }

    void whatIsNoHeadIsBrokenOff() {
        World world;
        world.host.mux().openStream(kFirst, StreamKind::Bytes);
        world.say(kFirst, "GET / HTTP/1.1\r\n");
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst].reset; }));
        world.host.mux().openStream(kFirst + 1, StreamKind::Bytes);
        world.host.mux().sendEnd(kFirst + 1); // without a word
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst + 1].reset; }));
    }

    void aStreamOfTheGuestsIsNoneOfTheHosts() {
        World world;
        world.open(7, 80);
        QVERIFY(world.host.until([&] { return world.host.streams[7].reset; }));
    }

    void breaksGoBothWays() {
        const Server server;
        World world;
        world.open(kFirst, server.port);
        QVERIFY(world.comes(kFirst, kOpen));
        const auto one = server.accept();
        world.host.mux().sendReset(kFirst, ECONNRESET);
        world.flush();
        QCOMPARE(take(one, 1), QByteArray("!"));
        world.open(kFirst + 1, server.port);
        QVERIFY(world.comes(kFirst + 1, kOpen));
        resetSocket(server.accept());
        QVERIFY(world.host.until([&] { return world.host.streams[kFirst + 1].reset; }));
    }

    // What was under way for a stream that is over opens no other: ids are taken once.
    void anIdIsTakenOnce() {
        const Server server;
        World world;
        world.open(kFirst + 5, server.port);
        QVERIFY(world.comes(kFirst + 5, kOpen));
        world.open(kFirst + 4, server.port);
        world.open(kFirst + 6, server.port);
        QVERIFY(world.comes(kFirst + 6, kOpen));
        QCOMPARE(world.host.streams[kFirst + 4].bytes, QByteArray());
        world.host.begin(); // an epoch begins anew, and so do they
        QVERIFY(world.host.open());
        world.open(kFirst, server.port);
        QVERIFY(world.comes(kFirst, kOpen));
    }

    void aNewEpochBreaksOffWhatWas() {
        const Server server;
        World world;
        world.open(kFirst, server.port);
        QVERIFY(world.comes(kFirst, kOpen));
        const auto other = server.accept();
        world.host.begin();
        QVERIFY(world.host.open());
        QCOMPARE(take(other, 1), QByteArray("!"));
    }
};

QTEST_GUILESS_MAIN(TestNetInward)
#include "test_net_inward.moc"
