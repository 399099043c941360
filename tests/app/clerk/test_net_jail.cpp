// SPDX-License-Identifier: Apache-2.0
// The program carrel-clerk, confined, relays connections: it can make none (TestClerkJail::refused), and what it is handed
// works from within the jail.
#include "app/clerk/net_desk.h"
#include "tests/app/clerk/clerk_rig.h"
#include "tests/app/clerk/client_hello.h"
#include "tests/app/clerk/mux_peer.h"
#include "tests/app/relay/tls_peer.h"

#include "app/relay/secret_pipe.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::ClerkRig;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

class TestNetJail : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_rig = std::make_unique<ClerkRig>(std::string(CARREL_BIN_DIR "/carrel-clerk"));
        QVERIFY(m_rig->prepare(m_share.path().toStdString()));
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        m_guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        const UniqueFd host(ends[1]);
        QVERIFY(m_rig->request("attach", {{"channels", {"network"}}}, {host.get()}));
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), m_guest->mux().isOpen()), 60'000);
    }
    void cleanup() { m_rig.reset(); }

    void relays_data() {
        QTest::addColumn<QString>("treat");
        QTest::addColumn<QByteArray>("first");
        QTest::newRow("raw") << "raw" << QByteArray("hello");
        QTest::newRow("http") << "http" << QByteArray("GET / HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n");
        const auto hello = clerk::test::helloFor("www.example.org");
        QTest::newRow("tls") << "tls" << QByteArray(reinterpret_cast<const char*>(hello.data()), qsizetype(hello.size()));
    }
    void relays() {
        QFETCH(QString, treat);
        QFETCH(QByteArray, first);
        QVERIFY(m_rig->request("net.mode", {{"offline", false}}));
        const auto number = open(1);
        QVERIFY(number != 0);
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd far(ends[0]);
        UniqueFd handed(ends[1]);
        QVERIFY(m_rig->request("net.connected", {{"number", number}, {"treat", treat.toStdString()}}, {handed.get()}));
        handed.reset();
        (void)m_guest->mux().sendBytes(1, asBytes({first.constData(), std::size_t(first.size())})).has_value();
        if (treat == "http") {
            QTRY_VERIFY_WITH_TIMEOUT(requested(), 60'000);
            QVERIFY(m_rig->request("net.answer", {{"number", number}, {"request", 1}, {"allow", true}}));
        }
        QByteArray come;
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), take(far.get(), come), come == first), 60'000);
        const QByteArray answer = treat == "http" ? "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer" : "answer";
        QCOMPARE(::send(far.get(), answer.constData(), std::size_t(answer.size()), MSG_NOSIGNAL), ssize_t{answer.size()});
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), m_guest->streams[1].bytes.ends_with("answer")), 60'000);
        const auto live = m_rig->request("net.live", {});
        QVERIFY(live && live->at("streams").as_array().size() == 1);
        m_guest->mux().sendEnd(1);
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), !take(far.get(), come)), 60'000);
        QCOMPARE(::shutdown(far.get(), SHUT_WR), 0);
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), m_guest->streams[1].ended), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(m_rig->request("net.live", {}) && m_rig->told().back().method == "net.closed", 60'000);
        QCOMPARE(std::string(m_rig->told().back().params.at("how").as_string()), std::string("ended"));
    }

    // A certificate is issued and a host's is verified in there, where nothing can be opened or loaded.
    void endsTls() {
        const auto now = std::chrono::system_clock::now();
        const auto agents = relay::makeAuthority("desk", now).value();
        const auto worlds = relay::makeAuthority("the world", now).value();
        auto issuer = relay::LeafIssuer::create(worlds.certificatePem, relay::view(worlds.keyPem)).value();
        UniqueFd roots(::memfd_create("roots", MFD_CLOEXEC));
        QCOMPARE(::write(roots.get(), worlds.certificatePem.data(), worlds.certificatePem.size()), ssize_t(worlds.certificatePem.size()));
        const std::array texts{relay::view(agents.keyPem)};
        const auto key = relay::pipeOf(texts).value();
        QVERIFY(m_rig->request("net.trust", {}, {roots.get()}));
        QVERIFY(m_rig->request("net.authority", {{"certificate_pem", agents.certificatePem}}, {key.get()}));
        QVERIFY(m_rig->request("net.mode", {{"offline", false}}));
        const auto number = open(1);
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd far(ends[0]);
        UniqueFd handed(ends[1]);
        QVERIFY(m_rig->request("net.connected", {{"number", number}, {"treat", "terminate"}}, {handed.get()}));
        handed.reset();
        relay::test::TlsPeer program(relay::test::TlsPeer::Role::Client), host(relay::test::TlsPeer::Role::Server);
        program.name("www.example.org");
        host.use(*issuer.leafFor("www.example.org", now).value());
        program.toSay = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
        const auto open = toWire(net::Answer{net::Outcome::Open, {}}).size();
        std::size_t fed = open;
        std::string heardByProgram, heardByHost;
        const auto talk = [&] {
            m_guest->pump();
            const auto& bytes = m_guest->streams[1].bytes;
            const auto fresh = bytes.size() > fed ? std::string_view(bytes).substr(fed) : std::string_view();
            fed = std::max(fed, bytes.size());
            (void)m_guest->mux().sendBytes(1, program.step(asBytes(fresh), heardByProgram)).has_value();
            m_guest->pump();
            QByteArray come;
            (void)take(far.get(), come);
            const auto said = host.step(asBytes({come.constData(), std::size_t(come.size())}), heardByHost);
            (void)::send(far.get(), said.data(), said.size(), MSG_NOSIGNAL);
        };
        QTRY_VERIFY_WITH_TIMEOUT((talk(), requested()), 60'000);
        QVERIFY(m_rig->request("net.answer", {{"number", number}, {"request", 1}, {"allow", true}}));
        host.toSay = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";
        QTRY_VERIFY_WITH_TIMEOUT((talk(), heardByProgram.ends_with("answer")), 60'000);
        QVERIFY(heardByHost.starts_with("GET / HTTP/1.1\r\n"));
    }

    void cutsAndRefuses() {
        QVERIFY(m_rig->request("net.mode", {{"offline", false}}));
        const auto number = open(1);
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd far(ends[0]);
        UniqueFd handed(ends[1]);
        QVERIFY(m_rig->request("net.connected", {{"number", number}, {"treat", "raw"}}, {handed.get()}));
        handed.reset();
        QVERIFY(m_rig->request("net.cut", {{"number", number}, {"text", "the rule ended"}}));
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), m_guest->streams[1].reset), 60'000);
        QByteArray come;
        QTRY_VERIFY_WITH_TIMEOUT(!take(far.get(), come), 60'000);
        const auto other = open(2);
        QVERIFY(m_rig->request("net.refused", {{"number", other}, {"outcome", "denied"}, {"text", "no"}}));
        QTRY_VERIFY_WITH_TIMEOUT((m_guest->pump(), m_guest->streams[2].ended), 60'000);
    }

    // Fail closed: an engine that says nothing of a network is asked nothing.
    void offlineUntilTold() {
        QCOMPARE(open(1), std::uint64_t{0});
        QVERIFY(m_guest->streams[1].ended);
    }

private:
    bool requested() { // a look
        (void)m_rig->request("net.live", {}); // takes what was told on the way
        m_guest->pump();
        return m_rig->told().back().method == "net.request";
    }
    // The number that the engine is told; 0: the stream ended instead.
    std::uint64_t open(std::uint32_t id) {
        m_guest->mux().openStream(id, StreamKind::Bytes);
        (void)m_guest->mux().sendBytes(id, toWire(net::Opening{std::string("www.example.org"), 443})).has_value();
        const auto before = m_rig->told().size();
        const bool came = QTest::qWaitFor(
            [&] {
                m_guest->pump();
                (void)m_rig->request("net.live", {}); // takes what was told on the way
                return m_rig->told().size() > before || m_guest->streams[id].ended;
            },
            60000);
        const bool told = came && m_rig->told().size() > before && m_rig->told().back().method == "net.open";
        return told ? m_rig->told().back().params.at("number").to_number<std::uint64_t>() : 0;
    }
    // False: it is over.
    static bool take(int fd, QByteArray& come) {
        std::array<char, 4096> buffer;
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) {
            come.append(buffer.data(), got);
        }
        return got > 0 || (got < 0 && errno == EAGAIN);
    }

    QTemporaryDir m_share;
    std::unique_ptr<ClerkRig> m_rig;
    std::unique_ptr<MuxPeer> m_guest;
};

QTEST_GUILESS_MAIN(TestNetJail)
#include "test_net_jail.moc"
