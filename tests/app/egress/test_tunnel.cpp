// SPDX-License-Identifier: Apache-2.0
// What is said to a proxy, and what is made of its answers, in whatever pieces they come.
#include "app/egress/tunnel.h"

#include <QTest>

using namespace carrel;
using namespace carrel::egress;

namespace {

Destination to() {
    return Destination::parse("example.org", 443).value();
}
Proxy proxy(Proxy::Kind kind, const std::string& user = {}, const std::string& password = {}) {
    return {kind, Destination::parse("p.example", 3128).value(), user, password};
}

struct Heard {
    std::string sent, rest;
    bool done = false;
    std::optional<ErrorCode> error;
};

// The answer in pieces of `piece` bytes.
Heard hear(Tunnel& tunnel, const std::string& answer, std::size_t piece) {
    Heard out;
    std::string seen;
    for (std::size_t at = 0; at < answer.size() || !seen.empty();) {
        if (out.done) {
            out.rest = seen + answer.substr(at);
            return out;
        }
        seen += answer.substr(at, piece);
        at = std::min(at + piece, answer.size());
        for (;;) {
            const auto step = tunnel.take(seen);
            if (!step) {
                out.error = step.error().code;
                return out;
            }
            seen.erase(0, step->used);
            out.sent += step->send;
            out.done = step->done;
            if (step->used == 0 || step->done || seen.empty()) {
                break;
            }
        }
        if (at == answer.size() && !out.done) {
            return out;
        }
    }
    return out;
}

} // namespace

class TestTunnel : public QObject {
    Q_OBJECT
private slots:
    void connectIsAsked() {
        QCOMPARE(Tunnel(proxy(Proxy::Kind::Http), to()).begin(), std::string("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"));
        QVERIFY(Tunnel(proxy(Proxy::Kind::Http, "ada", "pw"), to()).begin().find("\r\nProxy-Authorization: Basic YWRhOnB3\r\n") != std::string::npos);
    }
    void itsAnswerInAnyPieces() {
        for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
            Tunnel t(proxy(Proxy::Kind::Http), to());
            const auto heard = hear(t, "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nSSH-2.0 hello", piece);
            QVERIFY(heard.done && !heard.error);
            QCOMPARE(heard.rest, std::string("SSH-2.0 hello")); // the other side's, untouched
        }
    }
    void itsRefusals() {
        const std::map<std::string, ErrorCode> all{{"HTTP/1.1 403 Forbidden\r\n\r\n", ErrorCode::Unavailable},
                                                   {"HTTP/1.1 407 Who\r\n\r\n", ErrorCode::Unavailable},
                                                   {"HTTP/1.0 504 x\r\n\r\n", ErrorCode::Expired},
                                                   {"HTTP/1.1 100 Continue\r\n\r\n", ErrorCode::Unavailable},
                                                   {"HTTP/2 200 ok\r\n\r\n", ErrorCode::Malformed},
                                                   {"HTTP/1.1 20x ok\r\n\r\n", ErrorCode::Malformed},
                                                   {"HTTP/1.1 2000 ok\r\n\r\n", ErrorCode::Malformed},
                                                   {"SSH-2.0\r\n\r\n", ErrorCode::Malformed},
                                                   {"\r\n\r\n", ErrorCode::Malformed},
                                                   {std::string(kMaxProxyAnswer + 1, 'x'), ErrorCode::LimitExceeded}};
        for (const auto& [answer, code] : all) {
            Tunnel t(proxy(Proxy::Kind::Http), to());
            QVERIFY2(hear(t, answer, 512).error == code, answer.substr(0, 40).c_str());
        }
    }
    void socksWithTheName() {
        for (const std::size_t piece : {1U, 3U, 1000U}) {
            Tunnel t(proxy(Proxy::Kind::Socks5), to());
            QCOMPARE(t.begin(), std::string("\x05\x01\x00", 3));
            const auto heard = hear(t, std::string("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50mine", 16), piece);
            QVERIFY(heard.done);
            QCOMPARE(heard.sent, std::string("\x05\x01\x00\x03\x0b" "example.org\x01\xbb", 18));
            QCOMPARE(heard.rest, std::string("mine"));
        }
    }
    void socksWithAPassword() {
        Tunnel t(proxy(Proxy::Kind::Socks5, "ada", "pw"), to());
        QCOMPARE(t.begin(), std::string("\x05\x02\x00\x02", 4));
        const auto heard = hear(t, std::string("\x05\x02\x01\x00\x05\x00\x00\x03\x01x\x00\x50", 12), 1);
        QVERIFY(heard.done);
        QVERIFY(heard.sent.starts_with(std::string("\x01\x03" "ada\x02pw", 8)));
    }
    void socksRefusals() {
        const auto code = [&](const std::string& answer, const std::string& user = {}) {
            Tunnel t(proxy(Proxy::Kind::Socks5, user, user), to());
            return hear(t, answer, 1000).error;
        };
        QVERIFY(code(std::string("\x04\x00", 2)) == ErrorCode::Malformed);
        QVERIFY(code(std::string("\x05\xff", 2)) == ErrorCode::Unavailable);
        QVERIFY(code(std::string("\x05\x02", 2)) == ErrorCode::Unavailable); // it has none
        QVERIFY(code(std::string("\x05\x02\x01\x01", 4), "ada") == ErrorCode::Unavailable);
        QVERIFY(code(std::string("\x05\x00\x05\x05\x00\x01", 6)) == ErrorCode::Refused);
        QVERIFY(code(std::string("\x05\x00\x05\x06\x00\x01", 6)) == ErrorCode::Expired);
        QVERIFY(code(std::string("\x05\x00\x05\x02\x00\x01", 6)) == ErrorCode::Unavailable);
        QVERIFY(code(std::string("\x05\x00\x05\x00\x00\x09xx", 8)) == ErrorCode::Malformed);
    }
};

QTEST_GUILESS_MAIN(TestTunnel)
#include "test_tunnel.moc"
