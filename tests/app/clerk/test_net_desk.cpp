// SPDX-License-Identifier: Apache-2.0
// The machine's connections at the clerk: a guest that may be hostile, an engine that answers, far ends on this machine's
// loopback. The desk's loop, the guest and the far ends take turns on one thread.
#include "app/clerk/net_desk.h"
#include "tests/app/clerk/client_hello.h"
#include "tests/app/clerk/net_world.h"

#include <csignal>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
namespace json = boost::json;

namespace {

const net::Opening kWeb{std::string("www.example.org"), 80};
const net::Opening kTls{std::string("www.example.org"), 443};

QByteArray wire(const net::Answer& answer) {
    const auto bytes = toWire(answer);
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}
const QByteArray kOpen = wire({net::Outcome::Open, {}});

} // namespace

class TestNetDesk : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { (void)std::signal(SIGPIPE, SIG_IGN); } // as carrel-clerk does

    void theEngineIsAskedAndBytesGoBothWays() {
        NetWorld world;
        QVERIFY(world.ready);
        world.openStream(1, kTls);
        world.guestSays(1, "early");
        const auto number = world.asked();
        QCOMPARE(json::serialize(world.told.back().params), std::string(R"({"number":1,"host":"www.example.org","port":443})"));
        QCOMPARE(world.live(), std::size_t{0});
        Tcp tcp;
        QVERIFY(world.connect(number, tcp));
        QVERIFY(world.until([&] { return tcp.take() == "early"; }));
        QVERIFY(tcp.say("answer"));
        QVERIFY(world.until([&] { return world.atGuest(1) == kOpen + "answer"; }));
        QCOMPARE(world.live(), std::size_t{1});
        world.guest->mux().sendEnd(1);
        QVERIFY(world.until([&] { return tcp.take() == "early$"; }));
        QVERIFY(tcp.say("and more"));
        tcp.far.reset();
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QCOMPARE(world.atGuest(1), kOpen + "answerand more");
        QCOMPARE(world.how(number), std::string("ended"));
        QCOMPARE(world.closed(number)->at("sent").to_number<int>(), 5);
        QCOMPARE(world.closed(number)->at("received").to_number<int>(), 14);
        QCOMPARE(world.live(), std::size_t{0});
    }

    void theFarEndEndsFirst() {
        NetWorld world;
        world.openStream(1, kTls);
        Tcp tcp;
        const auto number = world.asked();
        QVERIFY(world.connect(number, tcp));
        QVERIFY(tcp.say("all"));
        QVERIFY(::shutdown(tcp.far.get(), SHUT_WR) == 0);
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        world.guestSays(1, "still");
        world.guest->mux().sendEnd(1);
        QVERIFY(world.until([&] { return tcp.take() == "still$"; }));
        QCOMPARE(world.how(number), std::string("ended"));
    }

    void addressesAreAskedForAsTheyAre() {
        NetWorld world;
        net::Ipv6 six{0x20, 0x01, 0x0d, 0xb8};
        six.back() = 9;
        world.openStream(1, {six, 22});
        (void)world.asked();
        QCOMPARE(json::serialize(world.told.back().params), std::string(R"({"number":1,"host":"2001:db8::9","port":22})"));
    }

    void offlineUntilTold() {
        NetWorld world(false);
        world.openStream(1, kTls);
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QCOMPARE(world.atGuest(1), wire({net::Outcome::Offline, {}}));
        QVERIFY(world.told.empty());
        QVERIFY(world.desk.setMode({{"offline", false}}));
        world.openStream(2, kTls);
        QVERIFY(world.asked() != 0);
        QVERIFY(world.desk.setMode({{"offline", true}}));
        world.openStream(3, kTls);
        QVERIFY(world.until([&] { return world.guest->streams[3].ended; }));
        QCOMPARE(world.told.size(), std::size_t{1});
    }

    void aRefusalReachesTheProgram() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        QVERIFY(world.desk.refused({{"number", number}, {"outcome", "waiting"}, {"text", "somebody is asked"}}));
        QVERIFY(world.desk.refused({{"number", number}, {"outcome", "expired"}, {"text", "nobody answered"}}));
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QCOMPARE(world.atGuest(1), wire({net::Outcome::Waiting, "somebody is asked"}) + wire({net::Outcome::Expired, "nobody answered"}));
        world.guest->mux().sendReset(1, ECONNREFUSED); // as guestd does
        world.settle();
        QCOMPARE(world.told.size(), std::size_t{1}); // the engine has said so itself
        // And the number is over: a connection that comes now is closed.
        Tcp tcp;
        QVERIFY(world.connect(number, tcp));
        QVERIFY(world.until([&] { return tcp.take() == "$"; }));
    }

    void aRefusalInHttp_data() {
        QTest::addColumn<QString>("outcome");
        QTest::addColumn<QByteArray>("status");
        QTest::newRow("denied") << "denied" << QByteArray("HTTP/1.1 403 Forbidden\r\n");
        QTest::newRow("expired") << "expired" << QByteArray("HTTP/1.1 403 Forbidden\r\n");
        QTest::newRow("unresolved") << "unresolved" << QByteArray("HTTP/1.1 502 Bad Gateway\r\n");
        QTest::newRow("timed out") << "timed-out" << QByteArray("HTTP/1.1 504 Gateway Timeout\r\n");
    }
    void aRefusalInHttp() {
        QFETCH(QString, outcome);
        QFETCH(QByteArray, status);
        NetWorld world;
        world.openStream(1, kWeb);
        const auto number = world.asked();
        QVERIFY(world.desk.refused({{"number", number}, {"outcome", outcome.toStdString()}, {"text", "rule 7\r\nX-Evil: 1"}}));
        world.settle();
        QCOMPARE(world.atGuest(1), QByteArray()); // until it has asked something
        world.guestSays(1, "GET / HTTP/1.1\r\nHost: www.exam");
        world.settle();
        QCOMPARE(world.atGuest(1), QByteArray());
        world.guestSays(1, "ple.org\r\n\r\n");
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        const auto said = world.atGuest(1);
        const auto head = wire({net::outcomeFrom(outcome.toStdString()).value(), "rule 7  X-Evil: 1"}); // for who asks why
        QVERIFY2(said.startsWith(head + status), said.constData());
        QVERIFY(said.contains("X-Carrel-Outcome: " + outcome.toUtf8() + "\r\n"));
        QVERIFY(said.contains("www.example.org"));
        QVERIFY(!said.contains("\nX-Evil"));
        QVERIFY(said.endsWith("(rule 7  X-Evil: 1)\n"));
        world.guestSays(1, "more"); // is taken and dropped
        world.guest->mux().sendEnd(1);
        world.settle();
        world.openStream(1, kWeb); // the stream is over, so its id is free
        QVERIFY(world.until([&] { return world.told.size() == 2; }));
    }

    void whatIsNoHttpIsRefusedByTheHead() {
        NetWorld world;
        world.openStream(1, kWeb);
        world.guestSays(1, "SSH-2.0-x\r\n");
        const auto number = world.asked();
        QVERIFY(world.desk.refused({{"number", number}, {"outcome", "denied"}, {"text", ""}}));
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QCOMPARE(world.atGuest(1), wire({net::Outcome::Denied, {}}));
    }

    void aCutBreaksBothEnds() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp));
        world.guestSays(1, "x");
        QVERIFY(world.until([&] { return tcp.take() == "x"; }));
        QVERIFY(world.desk.cut({{"number", number}, {"text", "the rule ended"}}));
        QVERIFY(world.until([&] { return tcp.take() == "x!" && world.guest->streams[1].reset; }));
        QCOMPARE(world.how(number), std::string("cut"));
        QVERIFY(world.desk.cut({{"number", number}, {"text", ""}})); // over: no error
    }

    void resetsGoBothWays() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto first = world.asked();
        Tcp one;
        QVERIFY(world.connect(first, one));
        world.settle();
        world.guest->mux().sendReset(1, ECONNRESET);
        QVERIFY(world.until([&] { return one.take() == "!"; }));
        QCOMPARE(world.how(first), std::string("guest"));
        world.openStream(2, kTls);
        const auto second = world.asked();
        Tcp two;
        QVERIFY(world.connect(second, two));
        const linger hard{1, 0};
        QVERIFY(::setsockopt(two.far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
        two.far.reset();
        QVERIFY(world.until([&] { return world.guest->streams[2].reset; }));
        QCOMPARE(world.how(second), std::string("far end"));
    }

    void whoeverGoesWhileTheEngineThinks() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        world.guest->mux().sendReset(1, ECONNRESET);
        QCOMPARE(world.how(number), std::string("guest"));
        Tcp tcp;
        QVERIFY(world.connect(number, tcp));
        QVERIFY(world.until([&] { return tcp.take() == "$"; }));
    }

    void nonsenseIsReset() {
        NetWorld world;
        world.guest->mux().openStream(1, StreamKind::Bytes);
        world.guestSays(1, "GET / HTTP/1.1\r\n");
        QVERIFY(world.until([&] { return world.guest->streams[1].reset; }));
        world.openStream(2, kTls);
        QVERIFY(world.asked() != 0);
        world.guest->mux().openStream(3, StreamKind::Bytes);
        world.guestSays(3, toWire(kTls).size() > 3 ? ByteSpan(toWire(kTls)).first(3) : ByteSpan());
        world.guest->mux().sendEnd(3);
        QVERIFY(world.until([&] { return world.guest->streams[3].reset; }));
        QCOMPARE(world.told.size(), std::size_t{1});
    }

    // Neither side can make this one hold more than its bounds, nor stop another connection.
    void backPressureBothWays() {
        NetWorld world;
        world.openStream(1, kTls);
        Tcp slow;
        const auto number = world.asked();
        QVERIFY(world.connect(number, slow));
        world.settle();
        const Bytes much(6 * 1024 * 1024, std::byte{'m'});
        for (std::size_t at = 0; at < much.size(); at += 1024 * 1024) { // nobody takes it at the far end
            QVERIFY(world.guest->mux().sendBytes(1, ByteSpan(much).subspan(at, 1024 * 1024)));
        }
        world.settle();
        QVERIFY(world.guest->mux().queued(1) > 0);
        const auto taken = world.desk.live({})->at("streams").at(0).at("sent").to_number<std::size_t>();
        const auto held = much.size() - world.guest->mux().queued(1);
        QVERIFY(held <= taken + kInitialWindow + toWire(kTls).size()); // whose credit came back
        // The far end sends as much, and the guest does not take it either.
        std::size_t sent = 0;
        for (ssize_t put = 1; put > 0 && sent < much.size();) {
            put = ::send(slow.far.get(), much.data() + sent, much.size() - sent, MSG_NOSIGNAL);
            sent += put > 0 ? std::size_t(put) : 0;
            world.settle();
        }
        QVERIFY(sent < much.size());
        QVERIFY(world.channel->mux().queued(1) <= 256 * 1024);
        world.openStream(2, kTls);
        Tcp quick;
        QVERIFY(world.connect(world.asked(), quick));
        world.guestSays(2, "quick");
        QVERIFY(world.until([&] { return quick.take() == "quick"; }));
        // Both take again, and everything comes.
        QVERIFY(world.until([&] {
            world.guest->giveBack(1);
            return slow.take().size() == qsizetype(much.size());
        }));
        QVERIFY(world.until([&] {
            world.guest->giveBack(1);
            return std::size_t(world.atGuest(1).size()) == sent + std::size_t(kOpen.size());
        }));
    }

    void tlsGoesNowhereWithoutItsName_data() {
        QTest::addColumn<QByteArray>("hello");
        const auto text = [](const Bytes& bytes) { return QByteArray(reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())); };
        QTest::newRow("another name") << text(clerk::test::helloFor("evil.example.org"));
        QTest::newRow("no name") << text(clerk::test::recordsOf(clerk::test::messageOf({.extensions = {}, .after = {}})));
        QTest::newRow("hidden") << text(clerk::test::recordsOf(
            clerk::test::messageOf({.extensions = {clerk::test::serverName("www.example.org"), {0xfe0d, Bytes(9)}}, .after = {}})));
        QTest::newRow("no TLS") << QByteArray("GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
    }
    void tlsGoesNowhereWithoutItsName() {
        QFETCH(QByteArray, hello);
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "tls"));
        for (const char each : hello) {
            world.guestSays(1, {&each, 1});
        }
        QVERIFY(world.until([&] { return world.guest->streams[1].reset; }));
        QVERIFY(world.until([&] { return tcp.take() == "!"; })); // not a byte
        QCOMPARE(world.how(number), std::string("sni"));
        QCOMPARE(world.closed(number)->at("sent").to_number<int>(), 0);
    }

    void tlsWithItsNamePasses() {
        NetWorld world;
        world.openStream(1, kTls);
        Tcp tcp;
        QVERIFY(world.connect(world.asked(), tcp, "tls"));
        const auto hello = clerk::test::helloFor("www.example.org");
        world.guestSays(1, hello);
        QVERIFY(world.until([&] { return tcp.take().size() == qsizetype(hello.size()); }));
        world.guestSays(1, "finished"); // held until the server has answered
        world.settle();
        QCOMPARE(tcp.take().size(), qsizetype(hello.size()));
        const auto answer = clerk::test::serverHello(clerk::test::Answer::Hello);
        QVERIFY(tcp.say({reinterpret_cast<const char*>(answer.data()), qsizetype(answer.size())}));
        QVERIFY(world.until([&] { return tcp.take().endsWith("finished"); }));
    }

    void anEndBeforeTheNameIsABreak() {
        NetWorld world;
        world.openStream(1, kTls);
        Tcp tcp;
        const auto number = world.asked();
        QVERIFY(world.connect(number, tcp, "tls"));
        world.guestSays(1, ByteSpan(clerk::test::helloFor("www.example.org")).first(30));
        world.guest->mux().sendEnd(1);
        QCOMPARE(world.how(number), std::string("sni"));
        QVERIFY(world.until([&] { return tcp.take() == "!"; }));
    }

    void aServerThatGoesWithoutAWord() {
        for (const bool programFirst : {false, true}) {
            NetWorld world;
            world.openStream(1, kTls);
            Tcp tcp;
            const auto number = world.asked();
            QVERIFY(world.connect(number, tcp, "tls"));
            world.guestSays(1, clerk::test::helloFor("www.example.org"));
            world.guestSays(1, "held");
            if (programFirst) {
                world.guest->mux().sendEnd(1);
            }
            world.settle();
            QVERIFY(::shutdown(tcp.far.get(), SHUT_WR) == 0);
            if (!programFirst) {
                QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
                world.guest->mux().sendEnd(1);
            }
            QCOMPARE(world.how(number), std::string("sni"));
        }
    }

    void httpForAnotherHostIsAnswered() {
        NetWorld world;
        world.openStream(1, kWeb);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "http"));
        world.guestSays(1, "GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n");
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QVERIFY(world.atGuest(1).startsWith(kOpen + "HTTP/1.1 421 "));
        QVERIFY(world.until([&] { return tcp.take() == "$" || tcp.take() == "!"; })); // not a byte
        world.guest->mux().sendEnd(1);
        QCOMPARE(world.how(number), std::string("http"));
    }

    void httpThatGoesAstrayLaterIsRefused() {
        NetWorld world;
        world.openStream(1, kWeb);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "http"));
        const QByteArray good = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
        world.guestSays(1, good.toStdString() + "GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n");
        QVERIFY(world.until([&] { return world.told.back().method == "net.request"; }));
        QVERIFY(world.desk.answered({{"number", number}, {"request", 1}, {"allow", true}}, {}));
        QVERIFY(world.until([&] { return tcp.take() == good; }));
        QVERIFY(tcp.say("HTTP/1.1 204 No Content\r\n\r\n"));
        QVERIFY(world.until([&] { return world.atGuest(1).contains("HTTP/1.1 421 "); }));
        world.guest->mux().sendEnd(1);
        QCOMPARE(world.how(number), std::string("http"));
        QVERIFY(!tcp.take().contains("evil"));
    }

    void theBoundsHold() {
        NetWorld world;
        for (std::uint32_t i = 0; i < kMaxNetAsking; ++i) {
            world.openStream(i * 4 + 1, kTls);
        }
        QVERIFY(world.until([&] { return world.told.size() == kMaxNetAsking; }));
        world.openStream(2, kTls);
        QVERIFY(world.until([&] { return world.guest->streams[2].ended; }));
        QCOMPARE(world.atGuest(2), wire({net::Outcome::Limit, {}}));
        // One is answered, so another may ask.
        QVERIFY(world.desk.refused({{"number", 1}, {"outcome", "denied"}, {"text", ""}}));
        world.openStream(3, kTls);
        QVERIFY(world.until([&] { return world.told.size() == kMaxNetAsking + 1; }));
        // Heads that never come count, too.
        for (std::uint32_t i = 0; i < net::kMaxConnections; ++i) {
            world.guest->mux().openStream(10002 + i * 4, StreamKind::Bytes);
            world.guestSays(10002 + i * 4, "\x01");
        }
        QVERIFY(world.until([&] { return world.guest->streams[10002 + (net::kMaxConnections - 1) * 4].reset; }));
        QVERIFY(!world.guest->streams[10002].reset);
    }

    // A guest that opens and breaks off in a loop does not bury the engine.
    void theEngineIsToldOnlySoOften() {
        NetWorld world;
        std::uint32_t id = 1;
        const auto openings = [&](unsigned many) {
            for (unsigned i = 0; i < many; ++i, id += 4) {
                world.openStream(id, kTls);
                QVERIFY(world.until([&] { return !world.told.empty() && world.told.back().method == "net.open"; }));
                world.guest->mux().sendReset(id, ECONNRESET);
                QVERIFY(world.until([&] { return world.told.back().method == "net.closed"; }));
            }
        };
        const auto asked = [&] {
            return std::count_if(world.told.begin(), world.told.end(), [](const auto& each) { return each.method == "net.open"; });
        };
        openings(static_cast<unsigned>(kNetBurst));
        QCOMPARE(asked(), static_cast<std::ptrdiff_t>(kNetBurst));
        world.openStream(id, kTls);
        QVERIFY(world.until([&] { return world.guest->streams[id].ended; }));
        QCOMPARE(world.atGuest(id), wire({net::Outcome::Limit, {}}));
        id += 4;
        world.now += std::chrono::milliseconds(10);
        openings(5);
        QCOMPARE(asked(), static_cast<std::ptrdiff_t>(kNetBurst) + 5);
        world.openStream(id, kTls);
        QVERIFY(world.until([&] { return world.guest->streams[id].ended; }));
    }

    void aNewEpochEndsEverything() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp));
        world.settle();
        world.guest->mux().announceRestart();
        QCOMPARE(world.how(number), std::string("channel"));
        QVERIFY(world.until([&] { return tcp.take() == "!"; }));
    }

    void theEngineIsReadStrictly() {
        NetWorld world;
        world.openStream(1, kTls);
        const auto number = world.asked();
        const auto handed = [&](json::object params, int descriptors, bool isSocket = true) {
            std::vector<UniqueFd> all;
            for (int i = 0; i < descriptors; ++i) {
                all.emplace_back(isSocket ? ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : ::open("/dev/null", O_RDONLY | O_CLOEXEC));
            }
            return world.desk.connected(params, std::move(all)).has_value();
        };
        QVERIFY(!handed({{"number", number}, {"treat", "raw"}}, 0));
        QVERIFY(!handed({{"number", number}, {"treat", "raw"}}, 2));
        QVERIFY(!handed({{"number", number}, {"treat", "raw"}}, 1, false));
        QVERIFY(!handed({{"number", number}, {"treat", "any"}}, 1));
        QVERIFY(!handed({{"number", number}, {"treat", "raw"}, {"more", 1}}, 1));
        QVERIFY(!world.desk.refused({{"number", number}, {"outcome", "open"}, {"text", ""}}));
        QVERIFY(!world.desk.refused({{"number", number}, {"outcome", "maybe"}, {"text", ""}}));
        QVERIFY(!world.desk.cut({{"number", "1"}, {"text", ""}}));
        QVERIFY(!world.desk.setMode({{"offline", 0}}));
        QVERIFY(!world.desk.live({{"x", 1}}));
        QCOMPARE(world.told.size(), std::size_t{1});
        QVERIFY(handed({{"number", 99}, {"treat", "raw"}}, 1)); // over, or never there
    }
};

QTEST_GUILESS_MAIN(TestNetDesk)
#include "test_net_desk.moc"
