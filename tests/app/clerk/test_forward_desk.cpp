// SPDX-License-Identifier: Apache-2.0
// A server in the agent's machine, shown on this computer, at the clerk: browsers and machine are the test's. Whatever the server says,
// its pages are kept to themselves; whatever another site's page asks, nothing of it reaches the server.
#include "app/clerk/forward_desk.h"
#include "tests/app/clerk/net_world.h"

#include <csignal>
#include <fcntl.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::MuxPeer;
using carrel::clerk::test::Tcp;
namespace json = boost::json;

namespace {

const QByteArray kName = "0123456789abcdef0123456789abcdef.localhost";
constexpr int kAt = 40123;
const QByteArray kHost = kName + ":40123";

QByteArray wire(const auto& head) {
    const auto bytes = net::toWire(head);
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}
const QByteArray kOpen = wire(net::Answer{net::Outcome::Open, {}});
const QByteArray kInward = wire(net::Inward{8000});

struct World {
    World() {
        int ends[2] = {-1, -1};
        (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
        guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        Mux::Events events;
        events.data = [this](std::uint32_t stream, Bytes&& data) { desk.data(stream, std::move(data)); };
        events.end = [this](std::uint32_t stream) { desk.end(stream); };
        events.reset = [this](std::uint32_t stream, std::uint32_t) { desk.reset(stream); };
        events.writable = [this](std::uint32_t stream) { desk.writable(stream); };
        events.epoch = [this](const Epoch&) { desk.channelGone(); };
        channel = ChannelPump::create(loop, UniqueFd(ends[1]), ChannelPump::Peer::Guest, events, {}, [](const std::string&) {});
        desk.attach(channel);
        channel->start();
        ready = until([this] { return channel->mux().isOpen(); });
    }
    bool until(const std::function<bool()>& done) {
        constexpr int kSilenceMs = 20000;
        QElapsedTimer silence;
        silence.start();
        while (silence.elapsed() < kSilenceMs) {
            loop.restart();
            if (loop.poll() > 0 || guest->pump()) {
                silence.restart();
            }
            if (done()) {
                return true;
            }
            pollfd none{-1, 0, 0};
            (void)::poll(&none, 1, 1); // the kernel's turn: loopback is not at once
        }
        return false;
    }
    void settle() {
        for (int quiet = 0; quiet < 20;) {
            loop.restart();
            quiet = loop.poll() > 0 || guest->pump() ? 0 : quiet + 1;
            pollfd none{-1, 0, 0};
            (void)::poll(&none, 1, 1);
        }
    }
    bool connect(std::uint64_t number, Tcp& tcp, json::object more = {}) {
        json::object params{{"number", number}, {"port", 8000}, {"host", kName.toStdString()}, {"at", kAt}};
        for (const auto& each : more) {
            params[each.key()] = each.value();
        }
        std::vector<UniqueFd> descriptors;
        descriptors.push_back(std::move(tcp.ours));
        return desk.connected(params, std::move(descriptors)).has_value();
    }
    MuxPeer::Stream& stream(std::uint32_t which = 0) { return guest->streams[net::kFirstHostStream + which]; }
    [[nodiscard]] QByteArray atServer(std::uint32_t which = 0) { // without the head
        return QByteArray::fromStdString(stream(which).bytes).mid(kInward.size());
    }
    void serverSays(const QByteArray& bytes, std::uint32_t which = 0) {
        (void)guest->mux()
            .sendBytes(net::kFirstHostStream + which, asBytes({bytes.constData(), std::size_t(bytes.size())}))
            .has_value();
    }
    std::optional<json::object> closed(std::uint64_t number) {
        for (const auto& each : told) {
            if (each.params.at("number").to_number<std::uint64_t>() == number) {
                return each.params;
            }
        }
        return std::nullopt;
    }
    std::string how(std::uint64_t number) {
        return until([&] { return closed(number).has_value(); }) ? std::string(closed(number)->at("how").as_string()) : "?";
    }
    // The request has come to the server, which accepts it.
    bool accepted(std::uint32_t which = 0) {
        const bool came = until([&] { return QByteArray::fromStdString(stream(which).bytes).startsWith(kInward); });
        serverSays(kOpen, which);
        return came && until([&] { return atServer(which).endsWith("\r\n\r\n"); });
    }

    boost::asio::io_context loop;
    std::vector<Told> told;
    ForwardDesk desk{loop, [this](Told one) { told.push_back(std::move(one)); }};
    std::unique_ptr<MuxPeer> guest;
    std::shared_ptr<ChannelPump> channel;
    bool ready = false;
};

QByteArray get(const QByteArray& more = {}, const QByteArray& path = "/", const QByteArray& method = "GET") {
    return method + " " + path + " HTTP/1.1\r\nHost: " + kHost + "\r\n" + more + "\r\n";
}
const QByteArray kPage = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello";

} // namespace

class TestForwardDesk : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { (void)std::signal(SIGPIPE, SIG_IGN); } // as carrel-clerk does

    void aPageOfTheServers() {
        World world;
        Tcp browser;
        QVERIFY(world.ready && world.connect(7, browser));
        world.settle();
        QVERIFY(world.guest->streams.empty()); // a connection made ahead is none to the server
        QVERIFY(browser.say(get("Sec-Fetch-Site: none\r\n")));
        QVERIFY(world.accepted());
        QVERIFY(world.atServer().contains("\r\nHost: " + kHost + "\r\n"));
        world.serverSays(kPage);
        QVERIFY(world.until([&] { return browser.take().endsWith("hello"); }));
        QVERIFY(browser.come.contains("\r\nContent-Security-Policy: default-src 'self' "));
        QVERIFY(browser.come.contains("\r\nReferrer-Policy: same-origin\r\n"));
        // The next one goes on the same connection.
        QVERIFY(browser.say(get({}, "/second")));
        QVERIFY(world.until([&] { return world.atServer().contains("GET /second "); }));
        world.serverSays(kPage);
        QVERIFY(world.until([&] { return browser.take().count("hello") == 2; }));
        QCOMPARE(world.guest->streams.size(), std::size_t{1});
        browser.far.reset();
        QCOMPARE(world.how(7), std::string("ended"));
        QVERIFY(world.closed(7)->at("sent").to_number<int>() > 10);
        QVERIFY(world.until([&] { return world.stream().ended; }));
        QVERIFY(!world.stream().reset); // a server that is told of a break writes that down
        world.serverSays("more");
        QVERIFY(world.until([&] { return world.stream().reset; }));
    }

    // DNS rebinding, and whoever looks through the ports of this computer: by another name nothing is there.
    void byAnotherName_data() {
        QTest::addColumn<QByteArray>("request");
        QTest::newRow("another host") << QByteArray("GET / HTTP/1.1\r\nHost: evil.example.org:40123\r\n\r\n");
        QTest::newRow("the address") << QByteArray("GET / HTTP/1.1\r\nHost: 127.0.0.1:40123\r\n\r\n");
        QTest::newRow("localhost") << QByteArray("GET / HTTP/1.1\r\nHost: localhost:40123\r\n\r\n");
        QTest::newRow("another port") << QByteArray("GET / HTTP/1.1\r\nHost: " + kName + ":40124\r\n\r\n");
        QTest::newRow("no port") << QByteArray("GET / HTTP/1.1\r\nHost: " + kName + "\r\n\r\n");
        QTest::newRow("no host") << QByteArray("GET / HTTP/1.1\r\n\r\n");
        QTest::newRow("two") << QByteArray("GET / HTTP/1.1\r\nHost: " + kHost + "\r\nHost: evil.example.org\r\n\r\n");
        QTest::newRow("absolute") << QByteArray("GET http://evil.example.org/ HTTP/1.1\r\nHost: " + kHost + "\r\n\r\n");
        QTest::newRow("a tunnel") << QByteArray("CONNECT evil.example.org:443 HTTP/1.1\r\nHost: " + kHost + "\r\n\r\n");
        QTest::newRow("an end before it") << QByteArray("GET / HTTP/1.1\r\nHost: " + kName + ".:40123\r\n\r\n");
    }
    void byAnotherName() {
        QFETCH(QByteArray, request);
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(request));
        QVERIFY(world.until([&] { return browser.take().endsWith('$'); }));
        QVERIFY2(browser.come.startsWith("HTTP/1.1 4"), browser.come.constData());
        QVERIFY(!browser.come.contains("0123456789abcdef")); // nor is it told the right one
        QVERIFY(world.guest->streams.empty());
        browser.far.reset();
        QCOMPARE(world.how(1), std::string("refused"));
    }

    void anotherSitesPage_data() {
        QTest::addColumn<QByteArray>("request");
        QTest::addColumn<bool>("passes");
        const auto row = [](const char* name, const QByteArray& request, bool passes) { QTest::newRow(name) << request << passes; };
        row("a form", get("Origin: https://evil.example.org\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", "/", "POST"), false);
        row("a form of an older browser", get("Origin: https://evil.example.org\r\n", "/", "POST"), false);
        row("a form without an origin", get("Origin: null\r\n", "/", "POST"), false);
        row("a picture", get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"), false);
        row("a frame", get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"), false);
        row("another agent's", get("Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n"), false);
        row("a script that reads", get("Origin: http://other.localhost:1\r\n"), false);
        row("a question first", get("Origin: https://evil.example.org\r\nAccess-Control-Request-Method: PUT\r\n", "/", "OPTIONS"), false);
        row("a WebSocket", get("Origin: https://evil.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), false);
        row("a WebSocket as a link", get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), false);
        row("a service worker", get("Sec-Fetch-Site: same-origin\r\nService-Worker: script\r\n"), false);
        row("a service worker of another kind", get("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: serviceworker\r\n"), false);
        row("a link", get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"), true);
        row("the user", get("Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"), true);
        row("its own form", get("Origin: http://" + kHost + "\r\nSec-Fetch-Site: same-origin\r\n", "/", "POST"), true);
        row("its own form, that does not say", get("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", "/", "POST"), true);
        row("no browser", get({}, "/", "DELETE"), true);
        row("its own WebSocket", get("Origin: http://" + kHost + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), true);
    }
    void anotherSitesPage() {
        QFETCH(QByteArray, request);
        QFETCH(bool, passes);
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(request));
        if (passes) {
            QVERIFY(world.accepted());
            return;
        }
        QVERIFY(world.until([&] { return browser.take().endsWith('$'); }));
        QVERIFY2(browser.come.startsWith("HTTP/1.1 403 Forbidden\r\n"), browser.come.constData());
        QVERIFY(world.guest->streams.empty());
    }

    void aWebSocketOfItsOwnPasses() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get("Origin: http://" + kHost + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "/live")));
        QVERIFY(world.accepted());
        world.serverSays("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: a=b; Domain=localhost\r\n\r\n\x01");
        QVERIFY(world.until([&] { return browser.take().endsWith("\r\n\r\n\x01"); }));
        QVERIFY(browser.come.contains("\r\nSet-Cookie: a=b\r\n"));
        QVERIFY(browser.say("\x02\x03"));
        QVERIFY(world.until([&] { return world.atServer().endsWith("\x02\x03"); }));
    }

    void aRedirectElsewhereIsNotFollowed() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get()));
        QVERIFY(world.accepted());
        world.serverSays("HTTP/1.1 302 Found\r\nLocation: https://evil.example.org/?all=that&it=knows\r\nContent-Length: 0\r\n\r\n");
        QVERIFY(world.until([&] { return browser.take().endsWith('$'); }));
        QVERIFY2(browser.come.startsWith("HTTP/1.1 403 Forbidden\r\n"), browser.come.constData());
        QVERIFY(!browser.come.contains("\r\nLocation:"));
        QVERIFY(browser.come.contains("href=\"https://evil.example.org/?all=that&amp;it=knows\""));
        QVERIFY(browser.come.contains("Content-Security-Policy: default-src 'none'"));
        browser.far.reset();
        QCOMPARE(world.how(1), std::string("refused"));
    }

    void nobodyListensInTheMachine() {
        for (const auto outcome : {net::Outcome::Refused, net::Outcome::Unreachable, net::Outcome::Limit}) {
            World world;
            Tcp browser;
            QVERIFY(world.connect(1, browser));
            QVERIFY(browser.say(get()));
            QVERIFY(world.until([&] { return QByteArray::fromStdString(world.stream().bytes) == kInward; }));
            world.serverSays(wire(net::Answer{outcome, {}}));
            world.guest->mux().sendEnd(net::kFirstHostStream);
            QVERIFY(world.until([&] { return browser.take().endsWith('$'); }));
            QVERIFY2(browser.come.startsWith("HTTP/1.1 502 Bad Gateway\r\n"), browser.come.constData());
            browser.far.reset();
            QCOMPARE(world.how(1), std::string("refused"));
            QVERIFY(world.until([&] { return world.stream().reset || world.stream().ended; }));
        }
    }

    // Whose guestd is from before there were forwards, or is another.
    void aMachineThatDoesNotKnowOfIt() {
        World world;
        Tcp one;
        QVERIFY(world.connect(1, one));
        QVERIFY(one.say(get()));
        QVERIFY(world.until([&] { return !world.stream().bytes.empty(); }));
        world.guest->mux().sendReset(net::kFirstHostStream, kResetRefused);
        QVERIFY(world.until([&] { return one.take().endsWith('$'); }));
        QVERIFY2(one.come.startsWith("HTTP/1.1 502 "), one.come.constData());
        Tcp two;
        QVERIFY(world.connect(2, two));
        QVERIFY(two.say(get()));
        QVERIFY(world.until([&] { return !world.stream(1).bytes.empty(); }));
        world.serverSays("HTTP/1.1 200 OK\r\n\r\n", 1); // no head of the stream
        QVERIFY(world.until([&] { return two.take().endsWith('$'); }));
        QVERIFY2(two.come.startsWith("HTTP/1.1 502 "), two.come.constData());
    }

    void aServerThatSpeaksNoHttp() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get()));
        QVERIFY(world.accepted());
        world.serverSays("<html>");
        world.guest->mux().sendEnd(net::kFirstHostStream);
        QVERIFY(world.until([&] { return browser.take().endsWith('$'); }));
        QVERIFY2(browser.come.startsWith("HTTP/1.1 502 "), browser.come.constData());
        QVERIFY(!browser.come.contains("<html>"));
    }

    void breaksGoBothWays() {
        World world;
        Tcp one;
        QVERIFY(world.connect(1, one));
        QVERIFY(one.say(get()));
        QVERIFY(world.accepted());
        world.serverSays("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        QVERIFY(world.until([&] { return one.take().endsWith("half"); }));
        world.guest->mux().sendReset(net::kFirstHostStream, ECONNRESET);
        QVERIFY(world.until([&] { return one.take().endsWith('!'); })); // and not taken for the whole
        QCOMPARE(world.how(1), std::string("server"));
        Tcp two;
        QVERIFY(world.connect(2, two));
        QVERIFY(two.say(get()));
        QVERIFY(world.accepted(1));
        const linger hard{1, 0};
        QVERIFY(::setsockopt(two.far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
        two.far.reset();
        QVERIFY(world.until([&] { return world.stream(1).reset; }));
        QCOMPARE(world.how(2), std::string("client"));
    }

    void aCutEndsBoth() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get()));
        QVERIFY(world.accepted());
        QVERIFY(world.desk.cut({{"number", 1}}));
        QVERIFY(world.until([&] { return browser.take() == "!" && world.stream().reset; }));
        QCOMPARE(world.how(1), std::string("cut"));
        QVERIFY(world.desk.cut({{"number", 1}})); // over: no error
    }

    void aNewEpochEndsEverything() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get()));
        QVERIFY(world.accepted());
        world.guest->mux().announceRestart();
        QCOMPARE(world.how(1), std::string("channel"));
        QVERIFY(world.until([&] { return browser.take() == "!"; }));
        world.guest->streams.clear();
        Tcp next;
        QVERIFY(world.until([&] { return world.channel->isOpen(); }));
        QVERIFY(world.connect(2, next));
        QVERIFY(next.say(get()));
        QVERIFY(world.accepted()); // the numbers begin anew, as the guest's do
    }

    // Neither side can make this one hold more than its bounds.
    void backPressureBothWays() {
        World world;
        Tcp browser;
        QVERIFY(world.connect(1, browser));
        QVERIFY(browser.say(get("Content-Length: 8388608\r\n", "/", "POST")));
        QVERIFY(world.accepted());
        const QByteArray piece(65536, 'p');
        std::size_t sent = 0;
        for (ssize_t put = 1; put > 0;) { // the server takes none of it
            put = ::send(browser.far.get(), piece.constData(), std::size_t(piece.size()), MSG_NOSIGNAL);
            sent += put > 0 ? std::size_t(put) : 0;
            world.settle();
        }
        QVERIFY(sent < 4 * 1024 * 1024);
        QVERIFY(world.channel->mux().queued(net::kFirstHostStream) <= kMostQueued + 65536);
        world.serverSays("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + QByteArray(4 * 1024 * 1024, 's'));
        world.settle();
        QVERIFY(world.guest->mux().queued(net::kFirstHostStream) > 0); // and the browser none of that
        QVERIFY(world.until([&] {
            world.guest->giveBack(net::kFirstHostStream);
            return browser.take().size() > 4 * 1024 * 1024;
        }));
    }

    void soManyAtOnce() {
        World world;
        std::vector<std::unique_ptr<Tcp>> all;
        for (std::uint64_t i = 1; i <= kMaxForwardRoads; ++i) {
            all.push_back(std::make_unique<Tcp>());
            QVERIFY(world.connect(i, *all.back()));
        }
        QVERIFY(world.told.empty());
        Tcp more;
        QVERIFY(world.connect(1000, more));
        QCOMPARE(world.how(1000), std::string("limit"));
        QVERIFY(world.until([&] { return more.take() == "$"; }));
    }

    void theEngineIsReadStrictly() {
        World world;
        const auto good = [&](json::object more) {
            Tcp tcp;
            return world.connect(9, tcp, std::move(more));
        };
        QVERIFY(!good({{"port", 0}}));
        QVERIFY(!good({{"port", 65536}}));
        QVERIFY(!good({{"at", 0}}));
        QVERIFY(!good({{"host", "example.org"}}));
        QVERIFY(!good({{"host", "a b.localhost"}}));
        QVERIFY(!good({{"more", 1}}));
        const json::object params{{"number", 1}, {"port", 8000}, {"host", kName.toStdString()}, {"at", kAt}};
        QVERIFY(!world.desk.connected(params, {}));
        std::vector<UniqueFd> file;
        file.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        QVERIFY(!world.desk.connected(params, std::move(file)));
        QVERIFY(!world.desk.cut({{"number", "1"}}));
        QVERIFY(good({}));
    }
};

QTEST_GUILESS_MAIN(TestForwardDesk)
#include "test_forward_desk.moc"
