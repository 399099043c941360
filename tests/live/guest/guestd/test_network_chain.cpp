// SPDX-License-Identifier: Apache-2.0
// Programs in a real machine reach real servers by way of the clerk that is shipped, in its jail. The test plays the engine:
// it says what may be reached, connects, and hands the sockets over.
#include "guest/protocol/control.h"
#include "guest/protocol/rpc.h"
#include "tests/app/clerk/clerk_rig.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QRegularExpression>
#include <QTest>

#include <atomic>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

using namespace carrel;
using namespace carrel::test;
using carrel::clerk::test::ClerkRig;
namespace json = boost::json;

namespace {

UniqueFd connectTo(std::uint16_t port) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
        socket.reset();
    }
    return socket;
}

// A server of Python's own, which says its port first.
class Server {
public:
    explicit Server(const QString& script) {
        m_process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
        m_process.start("python3", {"-u", "-c", script});
        if (m_process.waitForReadyRead(60000)) {
            m_port = static_cast<std::uint16_t>(m_process.readLine().trimmed().toUInt());
        }
    }
    ~Server() {
        m_process.kill();
        m_process.waitForFinished();
    }
    [[nodiscard]] std::uint16_t port() const { return m_port; }

private:
    QProcess m_process;
    std::uint16_t m_port = 0;
};

// Says which host was asked for; POST comes back.
const char* const kHttp = R"(
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def answer(self, body):
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self): self.answer(("%s %s\n" % (self.headers["Host"], self.path)).encode())
    def do_POST(self): self.answer(self.rfile.read(int(self.headers["Content-Length"])))
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); s.daemon_threads = True; s.request_queue_size = 300
%TLS%
print(s.server_address[1]); s.serve_forever()
)";
const char* const kTls = R"(
import ssl, subprocess, tempfile
d = tempfile.mkdtemp()
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=tls.example.org",
                "-keyout", d + "/k", "-out", d + "/c"], check=True, stderr=subprocess.DEVNULL)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(d + "/c", d + "/k")
import shutil; shutil.rmtree(d)
s.socket = c.wrap_socket(s.socket, server_side=True)
)";

// The engine's part, on a thread of its own.
class Engine {
public:
    Engine(std::uint16_t http, std::uint16_t tls)
        : m_http(http)
        , m_tls(tls)
        , m_rig(std::string(CARREL_BIN_DIR "/carrel-clerk")) {}
    ~Engine() {
        m_stop = true;
        if (m_thread.joinable()) {
            m_thread.join();
        }
    }
    bool start(UniqueFd network, const std::string& folder) {
        const bool ready = m_rig.prepare(folder) && m_rig.request("attach", {{"channels", {"network"}}}, {network.get()}) &&
                           m_rig.request("net.mode", {{"offline", false}});
        m_thread = std::thread([this] { run(); });
        return ready;
    }
    std::atomic<int> asked = 0;

private:
    void run() {
        while (!m_stop) {
            while (m_done < m_rig.told().size()) {
                const auto told = m_rig.told()[m_done++];
                if (told.method == "net.open") {
                    ++asked;
                    answer(told.params);
                } else if (told.method == "net.request") { // of plain HTTP, which is read
                    (void)m_rig.request("net.answer", {{"number", told.params.at("number")}, {"request", told.params.at("request")}, {"allow", true}});
                }
            }
            pollfd link{m_rig.link(), POLLIN, 0};
            if (::poll(&link, 1, 50) > 0) {
                (void)m_rig.request("net.live", {}); // takes what was told on the way
            }
        }
    }
    void answer(const json::object& open) {
        const std::string host(open.at("host").as_string());
        const auto port = open.at("port").to_number<int>();
        if (host.starts_with("denied")) {
            (void)m_rig.request("net.refused", {{"number", open.at("number")}, {"outcome", "denied"}, {"text", "Rule 7 says no"}});
            return;
        }
        const auto socket = connectTo(port == 443 ? m_tls : m_http);
        const char* treat = port == 443 ? "tls" : port == 80 ? "http" : "raw";
        (void)m_rig.request("net.connected", {{"number", open.at("number")}, {"treat", treat}}, {socket.get()});
    }

    std::uint16_t m_http, m_tls;
    ClerkRig m_rig;
    std::size_t m_done = 0;
    std::atomic<bool> m_stop = false;
    std::thread m_thread;
};

} // namespace

class TestNetworkChain : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void programs_data();
    void programs();
    void aNoIsReadInHttp();
    void whatDoesNotNameItsHostGoesNowhere_data();
    void whatDoesNotNameItsHostGoesNowhere();
    void muchBothWays();
    void manyAtOnce();

private:
    QByteArray out(const std::string& script) {
        const auto result = m_rig.run({"bash", "-c", script});
        return result.out + result.err;
    }
    QTemporaryDir m_folder;
    MachineRig m_rig;
    std::unique_ptr<Server> m_http, m_tls;
    std::unique_ptr<Engine> m_engine;
};

void TestNetworkChain::initTestCase() {
    m_http = std::make_unique<Server>(QString(kHttp).replace("%TLS%", ""));
    m_tls = std::make_unique<Server>(QString(kHttp).replace("%TLS%", kTls));
    QVERIFY(m_http->port() != 0 && m_tls->port() != 0);
    m_engine = std::make_unique<Engine>(m_http->port(), m_tls->port()); // before there is any thread
    const QString problem = m_rig.boot();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY(m_engine->start(m_rig.takeNetwork(), m_folder.path().toStdString()));
    QVERIFY2(m_rig.greet(), m_rig.console().constData());
    // The clerk and the guest find each other beside that.
    QCOMPARE(out("for i in $(seq 100); do curl -sS -o /dev/null http://web.example.org/ && break; sleep 0.1; done; echo ready"), QByteArray("ready\n"));
}

void TestNetworkChain::programs_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("said");
    QTest::newRow("curl") << "curl -sS http://web.example.org/a" << "web.example.org /a\n";
    QTest::newRow("curl, twice on one connection") << "curl -sS http://web.example.org/a http://web.example.org/b" << "web.example.org /a\nweb.example.org /b\n";
    QTest::newRow("curl, IPv6") << "curl -6 -sS http://web.example.org/a" << "web.example.org /a\n";
    QTest::newRow("wget") << "wget -qO- http://web.example.org/a" << "web.example.org /a\n";
    QTest::newRow("TLS") << "curl -ksS https://tls.example.org/a" << "tls.example.org /a\n";
    QTest::newRow("TLS 1.2") << "curl -ksS --tls-max 1.2 https://tls.example.org/a" << "tls.example.org /a\n";
    QTest::newRow("python, TLS") << "python3 -c 'import ssl, urllib.request as u; print(u.urlopen(\"https://tls.example.org/a\","
                                    "context=ssl._create_unverified_context()).read().decode(), end=\"\")'" << "tls.example.org /a\n";
    QTest::newRow("raw") << "curl -sS http://web.example.org:8080/a" << "web.example.org:8080 /a\n";
}

void TestNetworkChain::programs() {
    QFETCH(QString, script);
    QFETCH(QString, said);
    QCOMPARE(QString::fromUtf8(out(script.toStdString())), said);
}

void TestNetworkChain::aNoIsReadInHttp() {
    const auto said = out("curl -sSi http://denied.example.org/");
    QVERIFY2(said.startsWith("HTTP/1.1 403 Forbidden") && said.contains("X-Carrel-Outcome: denied") && said.contains("Rule 7 says no"),
             said.constData());
    QVERIFY(!out("curl -ksS https://denied.example.org/; echo status=$?").contains("status=0"));
}

void TestNetworkChain::whatDoesNotNameItsHostGoesNowhere_data() {
    QTest::addColumn<QString>("script");
    // Connected to the name that may be reached, and meant for another on the same address.
    QTest::newRow("another name") << "curl -ksS --connect-to evil.example.org:443:tls.example.org:443 https://evil.example.org/";
    QTest::newRow("no name") << "python3 -c 'import ssl,socket; s=ssl._create_unverified_context().wrap_socket(socket.create_connection((\"tls.example.org\",443)))'";
    QTest::newRow("no TLS") << "curl -sS http://tls.example.org:443/";
    QTest::newRow("another host in HTTP") << "curl -sSf --connect-to evil.example.org:80:web.example.org:80 http://evil.example.org/";
    QTest::newRow("HTTP/2 by prior knowledge") << "curl -sSf --http2-prior-knowledge http://web.example.org/";
}

void TestNetworkChain::whatDoesNotNameItsHostGoesNowhere() {
    QFETCH(QString, script);
    const auto before = m_engine->asked.load();
    const auto said = out(script.toStdString() + " 2>&1; echo status=$?");
    QVERIFY2(said.contains("status=") && !said.contains("status=0"), said.constData());
    QVERIFY(m_engine->asked.load() > before); // it got as far as that
}

void TestNetworkChain::muchBothWays() {
    QCOMPARE(out("head -c 8000000 /dev/urandom > /tmp/much; curl -sS --data-binary @/tmp/much http://web.example.org/ | cmp - /tmp/much && echo same;"
                 "curl -ksS --data-binary @/tmp/much https://tls.example.org/ | cmp - /tmp/much && echo same"),
             QByteArray("same\nsame\n"));
}

void TestNetworkChain::manyAtOnce() {
    QCOMPARE(out("python3 -c 'import socket\n"
                 "all=[socket.create_connection((\"w%d.example.org\"%i,80)) for i in range(200)]\n"
                 "for i,s in enumerate(all): s.send(b\"GET /%d HTTP/1.1\\r\\nHost: w%d.example.org\\r\\nConnection: close\\r\\n\\r\\n\"%(i,i))\n"
                 "got=set()\n"
                 "for s in all:\n d=b\"\"\n while True:\n  p=s.recv(999)\n  if not p: break\n  d+=p\n got.add(d.split(b\"\\n\")[-2])\n"
                 "print(len(got), b\"w7.example.org /7\" in got)'"),
             QByteArray("200 True\n"));
}

QTEST_GUILESS_MAIN(TestNetworkChain)
#include "test_network_chain.moc"
