// SPDX-License-Identifier: Apache-2.0
// guestd's half of a network connection: programs on this machine's loopback, whose connections count as meant for
// whatever the test says, and a host at the other end of the channel.
#include "guest/guestd/net_service.h"
#include "tests/guest/guestd/channel_pair.h"

#include <QByteArrayList>
#include <QTest>
#include <QtEndian>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <thread>

using namespace carrel;
using namespace carrel::guestd;
using carrel::test::ChannelPair;

namespace {

UniqueFd socketOn(int type) {
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || (type == SOCK_STREAM && ::listen(socket.get(), 2000) != 0) ||
        (type == SOCK_DGRAM && ::setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) != 0)) {
        socket.reset();
    }
    return socket;
}

sockaddr_in nameOf(int socket) {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    return name;
}

UniqueFd connectTo(const sockaddr_in& where, int type = SOCK_STREAM) {
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const timeval patience{30, 0}; // a guard: what is expected comes at once
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
        socket.reset();
    }
    return socket;
}

bool sendAll(int socket, std::string_view text) {
    return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// What comes, up to so many bytes or the end; "!" and the error's number where it breaks.
QByteArray take(int socket, std::size_t most) {
    QByteArray all;
    std::array<char, 65536> buffer;
    while (static_cast<std::size_t>(all.size()) < most) {
        const ssize_t got = ::recv(socket, buffer.data(), std::min(buffer.size(), most - static_cast<std::size_t>(all.size())), 0);
        if (got < 0) {
            return all + "!" + QByteArray::number(errno);
        }
        if (got == 0) {
            break;
        }
        all.append(buffer.data(), got);
    }
    return all;
}

const QByteArray kReset = "!" + QByteArray::number(ECONNRESET);

QByteArray wire(const auto& head) {
    const auto bytes = net::toWire(head);
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}

struct World {
    World() {
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

    UniqueFd program() { return connectTo(where); }
    // A program's connection and its stream, with the head taken.
    std::uint32_t stream(std::size_t number = 1) {
        const auto head = wire(meant);
        const bool came = host.until([&] {
            return host.streams.size() >= number && std::all_of(host.streams.begin(), host.streams.end(), [&](const auto& each) {
                       return each.second.bytes.size() >= head.size();
                   });
        });
        const auto last = host.streams.rbegin();
        if (!came || !last->second.bytes.startsWith(head)) {
            return 0;
        }
        return last->first;
    }
    void say(std::uint32_t id, const QByteArray& bytes) {
        (void)host.mux().sendBytes(id, asBytes({bytes.constData(), std::size_t(bytes.size())})).has_value();
    }
    void open(std::uint32_t id) { say(id, wire(net::Answer{net::Outcome::Open, {}})); }
    // So that what was said is on its way; the test then blocks on a socket.
    void flush() {
        (void)host.until([] { return true; });
    }
    QByteArray come(std::uint32_t id) { return host.streams[id].bytes.mid(wire(meant).size()); }

    QByteArrayList refused() {
        const std::lock_guard lock(mutex);
        return refusals;
    }

    net::Opening meant{net::Ipv4{203, 0, 113, 9}, 80};
    sockaddr_in where{};
    sockaddr_in dns{};
    sockaddr_in ntp{};
    int steered = 0;
    std::mutex mutex;
    QByteArrayList refusals;
    NetService service{{.steer =
                            [this](int) -> Result<NetSockets> {
                                ++steered;
                                NetSockets sockets;
                                sockets.tcp4 = socketOn(SOCK_STREAM);
                                sockets.dns4 = socketOn(SOCK_DGRAM);
                                sockets.ntp4 = socketOn(SOCK_DGRAM);
                                where = nameOf(sockets.tcp4.get());
                                dns = nameOf(sockets.dns4.get());
                                ntp = nameOf(sockets.ntp4.get());
                                return sockets;
                            },
                        .whereTo = [this](int) { return std::optional(meant); },
                        .refused =
                            [this](const net::Opening& to, const net::Answer& why) {
                                const std::lock_guard lock(mutex);
                                refusals << QByteArray::fromStdString(net::textOf(to.host) + " " + std::to_string(to.port) + " " +
                                                                      std::string(net::toString(why.outcome)) + " " + why.text);
                            }}};
    ChannelPair host{[](std::uint32_t) { return StreamKind::Bytes; },
                     {"network", NetService::accept, [this](ChannelEvent&& event) { service.handle(std::move(event)); }, Channel::TellWritable::WhenAsked}};
    bool ready = false;
};

} // namespace

class TestNetService : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        rlimit files{}; // both ends of a connection are here
        QVERIFY(::getrlimit(RLIMIT_NOFILE, &files) == 0);
        files.rlim_cur = files.rlim_max;
        QVERIFY(::setrlimit(RLIMIT_NOFILE, &files) == 0);
    }

    void bytesGoBothWaysAndEachHalfEnds() {
        World world;
        QVERIFY(world.ready);
        const auto program = world.program();
        QVERIFY(sendAll(program.get(), "question")); // before anybody has said that it may
        const auto id = world.stream();
        QVERIFY(id != 0);
        QVERIFY(world.host.until([&] { return world.come(id) == "question"; }));
        world.say(id, wire(net::Answer{net::Outcome::Waiting, "somebody is asked"}));
        world.open(id);
        world.say(id, "answer");
        world.flush();
        QCOMPARE(take(program.get(), 6), QByteArray("answer"));
        QVERIFY(::shutdown(program.get(), SHUT_WR) == 0);
        QVERIFY(world.host.until([&] { return world.host.streams[id].ended; }));
        world.say(id, "more, though you have ended");
        world.host.mux().sendEnd(id);
        world.flush();
        QCOMPARE(take(program.get(), 1000), QByteArray("more, though you have ended"));
    }

    void theHostEndsFirst() {
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.open(id);
        world.say(id, "all");
        world.host.mux().sendEnd(id);
        world.flush();
        QCOMPARE(take(program.get(), 1000), QByteArray("all"));
        QVERIFY(sendAll(program.get(), "still"));
        QVERIFY(::shutdown(program.get(), SHUT_WR) == 0);
        QVERIFY(world.host.until([&] { return world.host.streams[id].ended; }));
        QCOMPARE(world.come(id), QByteArray("still"));
    }

    void aNoIsAReset_data() {
        QTest::addColumn<QByteArray>("said");
        QTest::addColumn<QByteArray>("why"); // as it can be asked for by then; empty: nothing was said
        QTest::newRow("denied") << wire(net::Answer{net::Outcome::Denied, "a rule"}) << QByteArray("203.0.113.9 80 denied a rule");
        QTest::newRow("offline") << wire(net::Answer{net::Outcome::Offline, {}}) << QByteArray("203.0.113.9 80 offline ");
        QTest::newRow("expired after a note") << wire(net::Answer{net::Outcome::Waiting, "a"}) + wire(net::Answer{net::Outcome::Expired, "b"})
                                              << QByteArray("203.0.113.9 80 expired b");
        QTest::newRow("nonsense") << QByteArray("HTTP/1.1 200 OK\r\n") << QByteArray();
        QTest::newRow("notes without end") << wire(net::Answer{net::Outcome::Waiting, {}}).repeated(net::kMaxNotes + 1) << QByteArray();
    }
    void aNoIsAReset() {
        QFETCH(QByteArray, said);
        QFETCH(QByteArray, why);
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.say(id, said);
        if (!why.isEmpty()) {
            world.host.mux().sendEnd(id);
        }
        QVERIFY(world.host.until([&] { return world.host.streams[id].reset; }));
        QCOMPARE(take(program.get(), 1), kReset);
        QCOMPARE(world.refused(), why.isEmpty() ? QByteArrayList() : QByteArrayList{why});
    }

    // What the program is told in its own language comes to it, and is a refusal all the same.
    void aNoInItsOwnWords_data() {
        QTest::addColumn<bool>("atOnce");
        QTest::newRow("at once") << true;
        QTest::newRow("later") << false;
    }
    void aNoInItsOwnWords() {
        QFETCH(bool, atOnce);
        World world;
        const auto program = world.program();
        QVERIFY(sendAll(program.get(), "GET / HTTP/1.1\r\n\r\n"));
        const auto id = world.stream();
        const auto head = wire(net::Answer{net::Outcome::Denied, "a rule"});
        world.say(id, atOnce ? head + "HTTP/1.1 403 " : head);
        world.flush();
        if (!atOnce) {
            QTRY_COMPARE_WITH_TIMEOUT(world.refused().size(), 1, 60'000);
            world.say(id, "HTTP/1.1 403 ");
        }
        world.say(id, "Forbidden");
        world.host.mux().sendEnd(id);
        world.flush();
        QCOMPARE(take(program.get(), 1000), QByteArray("HTTP/1.1 403 Forbidden"));
        QCOMPARE(world.refused(), QByteArrayList{"203.0.113.9 80 denied a rule"});
        QVERIFY(::shutdown(program.get(), SHUT_WR) == 0);
        QVERIFY(world.host.until([&] { return world.host.streams[id].ended; }));
    }

    void anEndWithoutAWordIsANo() {
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.host.mux().sendEnd(id);
        QVERIFY(world.host.until([&] { return world.host.streams[id].reset; }));
        QCOMPARE(take(program.get(), 1), kReset);
    }

    void resetsGoBothWays() {
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.open(id);
        world.host.mux().sendReset(id, ECONNRESET);
        world.flush();
        QCOMPARE(take(program.get(), 1), kReset);
        auto other = world.program();
        const auto second = world.stream(2);
        QVERIFY(second > id);
        world.open(second);
        world.say(second, "x");
        world.flush();
        QCOMPARE(take(other.get(), 1), QByteArray("x"));
        resetSocket(std::move(other));
        QVERIFY(world.host.until([&] { return world.host.streams[second].reset; }));
    }

    // A host that takes nothing stops this program and no other; and it holds no more than its window.
    void backPressureToTheProgram() {
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.host.streams[id].stalled = true;
        world.open(id);
        world.flush();
        (void)::fcntl(program.get(), F_SETFL, O_NONBLOCK);
        const std::string piece(65536, 'p');
        std::size_t sent = 0;
        constexpr std::size_t kFarTooMuch = 64 * 1024 * 1024;
        // Full, and still full once everything that moves has moved.
        for (std::size_t before = sent + 1; before != sent && sent < kFarTooMuch;) {
            before = sent;
            for (ssize_t put = 1; put > 0 && sent < kFarTooMuch;) {
                put = ::send(program.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
                sent += put > 0 ? static_cast<std::size_t>(put) : 0;
            }
            pollfd room{program.get(), POLLOUT, 0};
            world.flush();
            (void)::poll(&room, 1, 200);
        }
        QVERIFY(sent < kFarTooMuch);
        QVERIFY(static_cast<std::size_t>(world.come(id).size()) <= kInitialWindow);
        const auto other = world.program();
        QVERIFY(world.host.until([&] { return world.host.streams.size() == 2; }));
        const auto second = world.host.streams.rbegin()->first;
        world.open(second);
        world.say(second, "fine");
        world.flush();
        QCOMPARE(take(other.get(), 4), QByteArray("fine"));
        // It takes again: everything comes.
        world.host.streams[id].stalled = false;
        world.host.mux().consumed(id, static_cast<std::size_t>(world.host.streams[id].bytes.size()));
        QVERIFY(::shutdown(program.get(), SHUT_WR) == 0);
        QVERIFY(world.host.until([&] { return world.host.streams[id].ended; }));
        QCOMPARE(static_cast<std::size_t>(world.come(id).size()), sent);
    }

    void muchComesWholeThroughASlowProgram() {
        World world;
        const auto program = world.program();
        const auto id = world.stream();
        world.open(id);
        QByteArray all;
        for (int i = 0; i < 300000; ++i) {
            all += QByteArray::number(i) + " ";
        }
        world.say(id, all);
        world.host.mux().sendEnd(id);
        QByteArray got;
        std::thread reader([&] {
            got = take(program.get(), SIZE_MAX);
            (void)::shutdown(program.get(), SHUT_WR);
        });
        const bool ended = world.host.until([&] { return world.host.streams[id].ended; });
        reader.join();
        QVERIFY(ended);
        QVERIFY(got == all);
    }

    void aNewHostEndBreaksOffWhatWas() {
        World world;
        const auto program = world.program();
        QVERIFY(world.stream() != 0);
        world.host.begin();
        QVERIFY(world.host.open());
        QCOMPARE(take(program.get(), 1), kReset);
        const auto again = world.program();
        QVERIFY(world.stream() != 0);
    }

    void aNewWorldBreaksOffWhatWas() {
        World world;
        const auto program = world.program();
        QVERIFY(world.stream() != 0);
        world.service.adopt(UniqueFd());
        world.service.waitUntilServed();
        QCOMPARE(world.steered, 2);
        QCOMPARE(take(program.get(), 1), kReset);
        const auto again = world.program();
        QVERIFY(world.host.until([&] { return world.host.streams.size() == 2; }));
    }

    void moreThanTheBoundAreBrokenOff() {
        World world;
        std::vector<UniqueFd> programs;
        for (std::size_t i = 0; i < net::kMaxConnections; ++i) {
            programs.push_back(world.program());
            QVERIFY(programs.back());
        }
        QVERIFY(world.stream(net::kMaxConnections) != 0);
        const auto oneMore = world.program();
        QCOMPARE(take(oneMore.get(), 1), kReset);
        QCOMPARE(world.host.streams.size(), net::kMaxConnections);
        QCOMPARE(world.refused(), QByteArrayList{"203.0.113.9 80 limit "});
        resetSocket(std::move(programs.front()));
        const auto first = world.host.streams.begin()->first;
        QVERIFY(world.host.until([&] { return world.host.streams[first].reset; }));
        const auto instead = world.program();
        QVERIFY(world.host.until([&] { return world.host.streams.size() == net::kMaxConnections + 1; }));
    }

    void whatIsNobodysIsBrokenOff_data() {
        QTest::addColumn<QString>("address");
        QTest::addColumn<bool>("isTold"); // to whoever asks why
        QTest::newRow("loopback") << "127.0.0.1" << false;
        QTest::newRow("anything") << "0.0.0.0" << false;
        QTest::newRow("a name's that was not given out") << "198.18.9.9" << true;
        QTest::newRow("the resolver's") << "198.18.0.1" << true;
    }
    void whatIsNobodysIsBrokenOff() {
        QFETCH(QString, address);
        QFETCH(bool, isTold);
        World world;
        net::Ipv4 bytes{};
        QVERIFY(::inet_pton(AF_INET, qPrintable(address), bytes.data()) == 1);
        world.meant.host = bytes;
        const auto program = world.program();
        QCOMPARE(take(program.get(), 1), kReset);
        QVERIFY(world.host.streams.empty());
        const auto refused = world.refused();
        QCOMPARE(refused.size(), isTold ? 1 : 0);
        QVERIFY(!isTold || refused[0].startsWith(address.toLatin1() + " 80 unresolved No name stands"));
    }

    void aNameTravelsAsAName() {
        World world;
        const auto resolver = connectTo(world.dns, SOCK_DGRAM);
        const std::string query("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07" "example\x03org\x00\x00\x01\x00\x01", 33);
        QVERIFY(sendAll(resolver.get(), query));
        QByteArray answer(512, 0);
        const auto got = ::recv(resolver.get(), answer.data(), 512, 0);
        QVERIFY(got > 4);
        net::Ipv4 address{};
        std::memcpy(address.data(), answer.constData() + got - 4, 4);
        world.meant.host = address;
        const auto program = world.program();
        QVERIFY(world.host.until([&] { return world.host.streams.size() == 1; }));
        world.meant.host = std::string("www.example.org");
        QVERIFY(world.stream() != 0);
    }

    // By this clock, whoever was asked; what is no such question is not answered, and the next one is.
    void theTime() {
        World world;
        const auto server = connectTo(world.ntp, SOCK_DGRAM);
        std::string query(48, '\0');
        query[0] = 0x23;
        query.replace(40, 8, "sent now");
        QVERIFY(sendAll(server.get(), std::string(48, '\x16')) && sendAll(server.get(), "x") && sendAll(server.get(), query + "x"));
        const auto before = std::time(nullptr);
        QVERIFY(sendAll(server.get(), query));
        QByteArray answer(512, 0);
        QCOMPARE(::recv(server.get(), answer.data(), 512, 0), ssize_t{48});
        QCOMPARE(answer.mid(24, 8), QByteArray("sent now"));
        const auto told = qFromBigEndian<quint32>(answer.constData() + 40) - 2'208'988'800U;
        QVERIFY(told >= before && told <= std::time(nullptr));
        QVERIFY(world.host.streams.empty());
    }

    void questionsByTcp() {
        World world;
        world.meant.port = 53;
        const auto resolver = world.program();
        const std::string query("\x00\x21\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07" "example\x03org\x00\x00\x01\x00\x01", 35);
        for (const char each : query) { // cut as badly as can be
            QVERIFY(sendAll(resolver.get(), {&each, 1}));
        }
        QCOMPARE(take(resolver.get(), 2).toHex(), QByteArray("0031"));
        QVERIFY(take(resolver.get(), 49).startsWith("\x12\x34"));
        QVERIFY(sendAll(resolver.get(), query + query));
        QCOMPARE(take(resolver.get(), 102).size(), 102);
        QVERIFY(sendAll(resolver.get(), std::string("\xff\xff", 2))); // longer than any question
        QCOMPARE(take(resolver.get(), 1), QByteArray()); // ended
        QVERIFY(world.host.streams.empty());
    }
};

QTEST_GUILESS_MAIN(TestNetService)
#include "test_net_service.moc"
