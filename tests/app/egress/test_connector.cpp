// SPDX-License-Identifier: Apache-2.0
// Connections over real sockets.
#include "app/egress/connector.h"
#include "tests/app/egress/listener.h"

#include <QTest>

#include <fcntl.h>
#include <future>
#include <thread>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using namespace std::chrono_literals;

namespace {

std::future<Result<Made>> begin(Connector& connector, Wanted wanted, std::stop_token stop = {}) {
    auto promise = std::make_shared<std::promise<Result<Made>>>();
    auto out = promise->get_future();
    connector.connect(std::move(wanted), std::move(stop), [promise](Result<Made> made) { promise->set_value(std::move(made)); });
    return out;
}

// Takes connections as far as the kernel does, and no further: full, so that nobody answers.
struct Silent {
    UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::vector<UniqueFd> fill;
    Endpoint at{Address(Address::V4Bytes{127, 0, 0, 1}), 0};
    Silent() {
        sockaddr_in raw{};
        raw.sin_family = AF_INET;
        raw.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof raw;
        (void)::bind(fd.get(), reinterpret_cast<sockaddr*>(&raw), size);
        (void)::listen(fd.get(), 0);
        (void)::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&raw), &size);
        at.port = ntohs(raw.sin_port);
        for (int i = 0; i < 8; ++i) {
            fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            (void)::connect(fill.back().get(), reinterpret_cast<sockaddr*>(&raw), size);
        }
    }
};

Proxy proxyAt(const Endpoint& at, Proxy::Kind kind) {
    return {kind, {at.address, at.port}, {}, {}};
}

} // namespace

class TestConnector : public QObject {
    Q_OBJECT
private slots:
    void aSocketThatIsFitToBeGivenAway() {
        Listener there;
        QVERIFY(there.good());
        SocketConnector connector;
        auto made = begin(connector, {{there.endpoint()}, {}}).get();
        QVERIFY(made);
        QVERIFY(made->to == there.endpoint());
        const int flags = ::fcntl(made->socket.get(), F_GETFL);
        QVERIFY((flags & O_NONBLOCK) != 0 && (::fcntl(made->socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
        const auto other = there.accept();
        send(other, "hello");
        QCOMPARE(take(made->socket, 5), std::string("hello"));
        send(made->socket, "you");
        QCOMPARE(take(other, 3), std::string("you"));
    }
    void nobodyListens() {
        SocketConnector connector;
        QVERIFY(begin(connector, {{{Address::parse("127.0.0.1").value(), freePort()}}, {}}).get().error().code == ErrorCode::Refused);
        QVERIFY(begin(connector, {{}, {}}).get().error().code == ErrorCode::Unavailable);
    }
    void nobodyAnswers() {
        SocketConnector connector({250ms, 100ms});
        const Silent silent;
        QVERIFY(begin(connector, {{silent.at}, {}}).get().error().code == ErrorCode::Expired);
    }
    // RFC 8305: one that does not answer delays the others by a moment, and one that refuses not at all.
    void theFirstThatAnswers() {
        Listener there("127.0.0.2");
        const Silent silent;
        SocketConnector connector({20ms, 60s});
        const Endpoint closed{Address::parse("127.0.0.1").value(), freePort()};
        auto made = begin(connector, {{silent.at, closed, there.endpoint()}, {}}).get();
        QVERIFY(made && made->to == there.endpoint());
        SocketConnector slow({1h, 60s});
        auto next = begin(slow, {{closed, there.endpoint()}, {}}).get();
        QVERIFY(next && next->to == there.endpoint());
    }
    void familiesInTurn() {
        std::vector<Endpoint> all;
        for (const char* text : {"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"}) {
            all.push_back({Address::parse(text).value(), 1});
        }
        std::string order;
        for (const auto& each : inTurn(all)) {
            order += each.address.text() + " ";
        }
        QCOMPARE(order, std::string("2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3 "));
        QCOMPARE(inTurn(std::vector<Endpoint>(100, all.front())).size(), kMaxTried);
        QVERIFY(inTurn({}).empty());
    }
    void calledOff() {
        const Silent silent;
        SocketConnector connector({250ms, 1h});
        std::stop_source stop;
        auto made = begin(connector, {{silent.at}, {}}, stop.get_token());
        stop.request_stop();
        QVERIFY(made.get().error().code == ErrorCode::Cancelled);
        Listener there;
        QVERIFY(!begin(connector, {{silent.at}, {}}, stop.get_token()).get()); // was called off before it began
    }
    void itsEndAnswersAll() {
        const Silent silent;
        auto connector = std::make_unique<SocketConnector>(SocketConnector::Patience{250ms, 1h});
        auto made = begin(*connector, {{silent.at}, {}});
        connector.reset();
        QVERIFY(made.get().error().code == ErrorCode::Cancelled);
    }
    void throughAProxy() {
        for (const auto kind : {Proxy::Kind::Http, Proxy::Kind::Socks5}) {
            Listener there;
            SocketConnector connector;
            auto made = begin(connector, {{there.endpoint()}, Tunnel(proxyAt(there.endpoint(), kind), Destination::parse("example.org", 443).value())});
            const auto proxy = there.accept();
            if (kind == Proxy::Kind::Http) {
                QVERIFY(take(proxy, 59).starts_with("CONNECT example.org:443 HTTP/1.1\r\n"));
                send(proxy, "HTTP/1.1 200 ok\r\n");
                send(proxy, "\r\nfirst"); // with the other side's first bytes
            } else {
                QCOMPARE(take(proxy, 3).size(), std::size_t{3});
                send(proxy, std::string("\x05\x00", 2));
                QVERIFY(take(proxy, 18).find("example.org") != std::string::npos); // the name, and no address
                send(proxy, std::string("\x05\x00\x00\x01\x7f", 5));
                send(proxy, std::string("\x00\x00\x01\x00\x50" "first", 10));
            }
            auto out = made.get();
            QVERIFY(out);
            QCOMPARE(take(out->socket, 5), std::string("first"));
        }
    }
    void aProxyThatWouldNot() {
        Listener there;
        SocketConnector connector({250ms, 60s});
        const auto ask = [&] {
            return begin(connector, {{there.endpoint()}, Tunnel(proxyAt(there.endpoint(), Proxy::Kind::Http), Destination::parse("example.org", 443).value())});
        };
        auto made = ask();
        auto proxy = there.accept();
        send(proxy, "HTTP/1.1 403 no\r\n\r\n");
        QVERIFY(made.get().error().code == ErrorCode::Unavailable);
        made = ask();
        proxy = there.accept();
        proxy.reset();
        QVERIFY(made.get().error().code == ErrorCode::Unavailable);
        made = ask();
        proxy = there.accept();
        send(proxy, std::string(kMaxProxyAnswer + 10, 'x')); // without an end
        QVERIFY(made.get().error().code == ErrorCode::LimitExceeded);
    }
    void aProxyThatSaysNothing() {
        Listener there;
        SocketConnector connector({250ms, 200ms});
        auto made = begin(connector, {{there.endpoint()}, Tunnel(proxyAt(there.endpoint(), Proxy::Kind::Http), Destination::parse("example.org", 443).value())});
        const auto proxy = there.accept();
        QVERIFY(made.get().error().code == ErrorCode::Expired);
        QVERIFY(take(proxy, 59).starts_with("CONNECT"));
        QVERIFY(isOver(proxy));
    }
};

QTEST_GUILESS_MAIN(TestConnector)
#include "test_connector.moc"
