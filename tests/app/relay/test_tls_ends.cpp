// SPDX-License-Identifier: Apache-2.0
// Both ends of TLS against played peers (RFC 5246, RFC 8446, RFC 6066, RFC 7301): what they agree on, and what they refuse.
#include "app/relay/tls_end.h"
#include "tests/app/relay/tls_peer.h"

#include <QTest>
#include <openssl/pem.h>

using namespace carrel;
using namespace carrel::relay;
using carrel::relay::test::readAll;
using carrel::relay::test::talk;
using carrel::relay::test::TlsPeer;

namespace {

const std::string kHost = "api.example.org";

struct World {
    WallTime now = std::chrono::system_clock::now();
    Authority authority = makeAuthority("desk", now).value();
    LeafIssuer issuer = LeafIssuer::create(authority.certificatePem, view(authority.keyPem)).value();
    ServerContext server = ServerContext::create().value();
    ClientContext client = ClientContext::create(authority.certificatePem).value();

    std::unique_ptr<TlsServerEnd> serverEnd(const std::string& host = kHost) {
        return TlsServerEnd::create(server, *issuer.leafFor(host, now).value(), host).value();
    }
    std::unique_ptr<TlsClientEnd> clientEnd(const std::string& host = kHost) { return TlsClientEnd::create(client, host).value(); }
};

TlsPeer client(const char* name, const std::function<void(SSL_CTX*)>& prepare = {}) {
    TlsPeer peer(TlsPeer::Role::Client, prepare);
    if (name != nullptr) {
        peer.name(name);
    }
    return peer;
}
void only(SSL_CTX* context, int version) {
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
}
std::string protocolOf(TlsPeer& peer) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    ::SSL_get0_alpn_selected(peer.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}
void offer(TlsPeer& peer, std::string_view list) {
    ::SSL_set_alpn_protos(peer.ssl(), reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned>(list.size()));
}

} // namespace

class TestTlsEnds : public QObject {
    Q_OBJECT
private slots:
    void bytesGoBothWaysAndTheEndIsSaid_data() {
        QTest::addColumn<int>("version");
        QTest::newRow("1.2") << TLS1_2_VERSION;
        QTest::newRow("1.3") << TLS1_3_VERSION;
    }
    void bytesGoBothWaysAndTheEndIsSaid() {
        QFETCH(int, version);
        World world;
        auto end = world.serverEnd();
        auto peer = client(kHost.c_str(), [&](SSL_CTX* context) { only(context, version); });
        peer.toSay = "hello"; // goes with its Finished
        QCOMPARE(talk(peer, *end), std::string());
        QVERIFY(end->state() == End::State::Open);
        QCOMPARE(::SSL_version(peer.ssl()), version);
        QCOMPARE(readAll(*end), std::string("hello"));
        QCOMPARE(end->write(asBytes("and you")), std::size_t(7));
        QCOMPARE(talk(peer, *end), std::string("and you"));
        QVERIFY(!peer.ended);
        end->close();
        QCOMPARE(end->write(asBytes("more")), std::size_t(0));
        (void)talk(peer, *end);
        QVERIFY(peer.ended);
        ::SSL_shutdown(peer.ssl());
        (void)talk(peer, *end);
        QCOMPARE(readAll(*end), std::string());
        QVERIFY(end->peerEnd() == End::PeerEnd::Clean);
    }

    // Host is not SNI: an allowed name is no way to another one at the same address.
    void theProgramNamesTheHostOrIsRefused_data() {
        QTest::addColumn<QString>("host");
        QTest::addColumn<QString>("named");
        QTest::addColumn<bool>("good");
        QTest::newRow("the same") << "api.example.org" << "api.example.org" << true;
        QTest::newRow("in capitals") << "api.example.org" << "API.Example.org" << true;
        QTest::newRow("another") << "api.example.org" << "evil.example.org" << false;
        QTest::newRow("longer") << "api.example.org" << "api.example.org.evil.example" << false;
        QTest::newRow("with a dot") << "api.example.org" << "api.example.org." << false;
        QTest::newRow("none") << "api.example.org" << "" << false;
        QTest::newRow("an address, unnamed") << "192.0.2.7" << "" << true;
        QTest::newRow("an address, named otherwise") << "192.0.2.7" << "evil.example.org" << false;
    }
    void theProgramNamesTheHostOrIsRefused() {
        QFETCH(QString, host);
        QFETCH(QString, named);
        QFETCH(bool, good);
        World world;
        auto end = world.serverEnd(host.toStdString());
        auto peer = client(named.isEmpty() ? nullptr : qPrintable(named));
        peer.toSay = "secret";
        (void)talk(peer, *end);
        QCOMPARE(end->state() == End::State::Open, good);
        QCOMPARE(peer.failed, !good);
        QCOMPARE(readAll(*end), std::string(good ? "secret" : ""));
        QVERIFY2(good || end->why().find("SNI") != std::string::npos, end->why().c_str());
    }

    void oldVersionsAreRefused() {
        World world;
        auto end = world.serverEnd();
        auto peer = client(kHost.c_str(), [](SSL_CTX* context) { only(context, TLS1_1_VERSION); });
        (void)talk(peer, *end);
        QVERIFY(end->state() == End::State::Failed && peer.failed);

        auto asked = world.clientEnd();
        TlsPeer server(TlsPeer::Role::Server, [](SSL_CTX* context) { only(context, TLS1_1_VERSION); });
        server.use(*world.issuer.leafFor(kHost, world.now).value());
        (void)talk(server, *asked);
        QVERIFY(asked->state() == End::State::Failed);
    }

    void http11IsTheOnlyProtocol() {
        World world;
        auto end = world.serverEnd();
        auto both = client(kHost.c_str());
        offer(both, "\x02h2\x08http/1.1");
        (void)talk(both, *end);
        QCOMPARE(protocolOf(both), std::string("http/1.1"));
        auto strict = world.serverEnd();
        auto h2 = client(kHost.c_str());
        offer(h2, "\x02h2");
        (void)talk(h2, *strict);
        QVERIFY(strict->state() == End::State::Failed && h2.failed);
    }

    void nobodyRenegotiates() {
        World world;
        auto end = world.serverEnd();
        auto peer = client(kHost.c_str(), [](SSL_CTX* context) { only(context, TLS1_2_VERSION); });
        (void)talk(peer, *end);
        QVERIFY(end->state() == End::State::Open);
        QCOMPARE(::SSL_renegotiate(peer.ssl()), 1);
        (void)::SSL_do_handshake(peer.ssl());
        std::string said;
        const auto wire = peer.step({}, said);
        QVERIFY(!wire.empty());
        QCOMPARE(end->feed(wire), wire.size());
        QCOMPARE(readAll(*end), std::string());
        (void)talk(peer, *end);
        QVERIFY2(peer.failed || end->state() == End::State::Failed, "it was let begin anew");
    }

    void aHostThatWantsToBeginAnewIsRefused() {
        World world;
        auto end = world.clientEnd();
        TlsPeer server(TlsPeer::Role::Server, [](SSL_CTX* context) { only(context, TLS1_2_VERSION); });
        server.use(*world.issuer.leafFor(kHost, world.now).value());
        (void)talk(server, *end);
        QVERIFY(end->state() == End::State::Open);
        QCOMPARE(::SSL_renegotiate(server.ssl()), 1);
        (void)::SSL_do_handshake(server.ssl());
        std::string said;
        const auto wire = server.step({}, said);
        QVERIFY(!wire.empty() && end->feed(wire) == wire.size());
        (void)readAll(*end);
        const auto answer = end->takeOutput(1U << 20U);
        QVERIFY2(answer.size() < 100, "a ClientHello was sent"); // at most an alert
        (void)server.step(answer, said);
        QVERIFY(server.failed);
    }

    void anIdleEndHoldsNothingAndGoesOn() {
        World world;
        auto end = world.serverEnd();
        auto peer = client(kHost.c_str());
        (void)talk(peer, *end);
        for (int i = 0; i < 3; ++i) {
            peer.toSay = std::string(30'000, 'x');
            (void)talk(peer, *end);
            end->rest(); // what has come is not lost
            QCOMPARE(readAll(*end).size(), std::size_t(30'000));
            QCOMPARE(end->write(Bytes(20'000)), std::size_t(20'000));
            end->rest();
            QCOMPARE(talk(peer, *end).size(), std::size_t(20'000));
            end->rest();
        }
    }

    void theHostIsVerifiedBeforeAByteGoesThere() {
        World world;
        auto end = world.clientEnd();
        QCOMPARE(end->write(asBytes("early")), std::size_t(0));
        TlsPeer server(TlsPeer::Role::Server);
        server.use(*world.issuer.leafFor(kHost, world.now).value());
        (void)talk(server, *end);
        QVERIFY2(end->state() == End::State::Open, end->why().c_str());
        QCOMPARE(std::string(::SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name)), kHost);
        QCOMPARE(end->write(asBytes("now")), std::size_t(3));
        QCOMPARE(talk(server, *end), std::string("now"));
    }

    void aCertificateThatIsNotInOrderIsRefused_data() {
        QTest::addColumn<QString>("what");
        QTest::addColumn<QString>("why");
        QTest::newRow("another host's") << "other" << "hostname mismatch";
        QTest::newRow("an unknown authority's") << "unknown" << "local issuer";
        QTest::newRow("expired") << "expired" << "expired";
        QTest::newRow("not yet valid") << "future" << "not yet valid";
        QTest::newRow("an authority's own") << "authority" << "";
        QTest::newRow("an address's") << "address" << "hostname mismatch";
    }
    void aCertificateThatIsNotInOrderIsRefused() {
        QFETCH(QString, what);
        QFETCH(QString, why);
        World world;
        World strangers;
        auto issuer = what == "unknown" ? &strangers.issuer : &world.issuer;
        auto now = world.now;
        now -= std::chrono::hours(what == "expired" ? 2 * 365 * 24 : 0);
        now += std::chrono::hours(what == "future" ? 72 : 0);
        const std::string named = what == "other" ? "www.example.org" : what == "address" ? "192.0.2.7" : kHost;
        auto leaf = issuer->leafFor(named, now).value();
        TlsPeer server(TlsPeer::Role::Server);
        if (what == "authority") { // signed by itself, and its name is none
            auto own = makeAuthority(kHost, world.now).value();
            const BioPtr text(::BIO_new_mem_buf(own.certificatePem.data(), static_cast<int>(own.certificatePem.size())));
            const BioPtr keyText(::BIO_new_mem_buf(own.keyPem.data(), static_cast<int>(own.keyPem.size())));
            Leaf self{CertificatePtr(::PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)),
                      KeyPtr(::PEM_read_bio_PrivateKey(keyText.get(), nullptr, nullptr, nullptr)), now, now};
            server.use(self);
        } else {
            server.use(*leaf);
        }
        auto end = world.clientEnd();
        (void)talk(server, *end);
        QVERIFY(end->state() == End::State::Failed);
        QVERIFY2(end->why().find("not to be trusted") != std::string::npos, end->why().c_str());
        QVERIFY2(QString::fromStdString(end->why()).contains(why, Qt::CaseInsensitive), end->why().c_str());
        QCOMPARE(end->write(asBytes("secret")), std::size_t(0));
        QVERIFY(server.failed);
    }

    void anAddressIsVerifiedAsOne() {
        World world;
        auto end = world.clientEnd("192.0.2.7");
        TlsPeer server(TlsPeer::Role::Server);
        server.use(*world.issuer.leafFor("192.0.2.7", world.now).value());
        (void)talk(server, *end);
        QVERIFY2(end->state() == End::State::Open, end->why().c_str());
        QVERIFY(::SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name) == nullptr);
    }

    void aCutConnectionIsNoEnd() {
        World world;
        auto end = world.clientEnd();
        TlsPeer server(TlsPeer::Role::Server);
        server.use(*world.issuer.leafFor(kHost, world.now).value());
        server.toSay = "half";
        (void)talk(server, *end);
        end->feedEnd();
        QCOMPARE(readAll(*end), std::string("half"));
        QVERIFY(end->peerEnd() == End::PeerEnd::Truncated);
        auto early = world.clientEnd();
        early->feedEnd();
        QVERIFY(early->state() == End::State::Failed);
    }

    void whatIsNotTakenIsNotHeld() {
        World world;
        auto end = world.serverEnd();
        auto peer = client(kHost.c_str());
        (void)talk(peer, *end);
        std::size_t written = 0;
        while (const auto put = end->write(Bytes(10'000))) {
            written += put;
        }
        QVERIFY(written >= kMostHeld / 2 && written <= 2 * kMostHeld);
        peer.toSay = std::string(1'000'000, 'x');
        std::string said;
        Bytes wire = peer.step({}, said);
        std::size_t taken = 0;
        while (const auto took = end->feed(ByteSpan(wire).subspan(taken))) {
            taken += took;
        }
        QVERIFY(taken >= kMostHeld / 2 && taken <= 2 * kMostHeld);
        QVERIFY(!readAll(*end).empty());
        QVERIFY(end->feed(ByteSpan(wire).subspan(taken)) > 0);
    }

    void nonsenseFails() {
        World world;
        auto end = world.serverEnd();
        const auto junk = toBytes("GET / HTTP/1.1\r\nHost: api.example.org\r\n\r\n");
        QCOMPARE(end->feed(junk), junk.size());
        QVERIFY(end->state() == End::State::Failed);
        QVERIFY(!ClientContext::create("nonsense"));
        QVERIFY(!ClientContext::create(""));
        QVERIFY(!ClientContext::create(std::string(kMaxRootsPem + 1, 'x')));
        auto damaged = world.authority.certificatePem;
        damaged[damaged.size() / 2] = '!';
        QVERIFY(!ClientContext::create(damaged + world.authority.certificatePem));
    }
};

QTEST_GUILESS_MAIN(TestTlsEnds)
#include "test_tls_ends.moc"
