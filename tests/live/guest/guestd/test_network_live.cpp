// SPDX-License-Identifier: Apache-2.0
// The network of a real machine that has no network device, seen by the programs in it. The test's end of the network
// channel plays the clerk, with an internet of its own: names answer as they are called.
#include "guest/protocol/net_wire.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QFile>
#include <QRegularExpression>
#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::test;

namespace {

// What answers at the other end, by the first label of the name that was asked for:
//   web      HTTP: says who was meant
//   echo     what comes, and its end
//   refused  no
//   count    HTTP, once all of `expected` connections are there at the same time
class Internet {
public:
    explicit Internet(HostChannel& channel)
        : m_channel(channel) {
        channel.onChange = [this](std::uint32_t stream) { changed(stream); };
    }
    std::vector<QByteArray> asked; // "host port", as the heads came
    std::size_t expected = 0;
    std::size_t wrong = 0; // heads that are none

private:
    void changed(std::uint32_t stream) {
        auto& from = m_channel.streams[stream];
        auto known = m_open.find(stream);
        if (from.reset) {
            m_open.erase(stream);
            m_waiting.erase(stream);
            return;
        }
        if (known == m_open.end()) {
            const auto head = net::openingFrom(std::as_bytes(std::span(from.bytes.constData(), std::size_t(from.bytes.size()))));
            if (!head) {
                ++wrong;
                m_channel.mux().sendReset(stream, EPROTO);
                return;
            }
            if (!*head) {
                return;
            }
            from.bytes.remove(0, qsizetype((*head)->bytes));
            const auto host = QByteArray::fromStdString(net::textOf((*head)->head.host));
            const auto name = host + " " + QByteArray::number((*head)->head.port);
            asked.push_back(name);
            known = m_open.emplace(stream, name).first;
            if (host.startsWith("refused")) {
                send(stream, net::toWire(net::Answer{net::Outcome::Denied, "not today"}));
                m_channel.mux().sendEnd(stream);
                return;
            }
            send(stream, net::toWire(net::Answer{net::Outcome::Waiting, "somebody is asked"}));
            send(stream, net::toWire(net::Answer{net::Outcome::Open, {}}));
        }
        if (known->second.startsWith("refused")) {
            return;
        }
        if (known->second.startsWith("echo")) {
            send(stream, asBytes({from.bytes.constData(), std::size_t(from.bytes.size())}));
            from.bytes.clear();
            if (from.ended) {
                m_channel.mux().sendEnd(stream);
            }
            return;
        }
        if (!from.bytes.contains("\r\n\r\n")) {
            return;
        }
        from.bytes.clear();
        m_waiting.emplace(stream, known->second);
        if (!known->second.startsWith("count") || m_waiting.size() == expected) {
            for (const auto& [each, text] : std::exchange(m_waiting, {})) {
                const auto body = text + "\n";
                const auto response = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                      QByteArray::number(body.size()) + "\r\n\r\n" + body;
                send(each, asBytes({response.constData(), std::size_t(response.size())}));
                m_channel.mux().sendEnd(each);
            }
        }
    }
    void send(std::uint32_t stream, ByteSpan bytes) { (void)m_channel.mux().sendBytes(stream, bytes).has_value(); }

    HostChannel& m_channel;
    std::map<std::uint32_t, QByteArray> m_open;
    std::map<std::uint32_t, QByteArray> m_waiting;
};

} // namespace

class TestNetworkLive : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void programsReachNames_data();
    void programsReachNames();
    void aStaticProgramDoes();
    void anAddressIsCarriedAsAnAddress();
    void theMachinesOwnStaysItsOwn();
    void namesAreAnswered_data();
    void namesAreAnswered();
    void datagramsAreRefusedAtOnce();
    void theTimeIsTheHosts();
    void aRefusalIsAReset();
    void halfCloseBothWays();
    void muchGoesThroughWhole();
    void manyAtOnce();
    void nothingOfItIsTheAgents_data();
    void nothingOfItIsTheAgents();
    void anotherHostEndBreaksOff(); // last

private:
    QByteArray out(const std::string& script) {
        const auto result = m_rig.run({"bash", "-c", script});
        return result.out + result.err;
    }
    // Broken off as such, and not ended: what a program hears of it first.
    bool isBroken(const std::string& host, int port) {
        const auto said = out("python3 -c 'import socket\ntry:\n s=socket.create_connection((\"" + host + "\"," + std::to_string(port) +
                              "));s.settimeout(60);print(s.recv(1))\nexcept ConnectionResetError: print(\"reset\")'");
        if (said != "reset\n") {
            qWarning() << said;
        }
        return said == "reset\n";
    }
    MachineRig m_rig;
    std::unique_ptr<Internet> m_internet;
};

void TestNetworkLive::initTestCase() {
    const QString problem = m_rig.boot();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    m_internet = std::make_unique<Internet>(m_rig.network());
    QVERIFY2(m_rig.greet(), m_rig.console().constData());
    QVERIFY(m_rig.until([&] { return m_rig.network().mux().isOpen(); }));
    QVERIFY2(!m_rig.console().contains("no network"), m_rig.console().constData());
}

void TestNetworkLive::programsReachNames_data() {
    QTest::addColumn<QString>("script");
    QTest::newRow("curl") << "curl -sS http://web.example.org/";
    QTest::newRow("curl, IPv4") << "curl -4 -sS http://web.example.org/";
    QTest::newRow("curl, IPv6") << "curl -6 -sS http://web.example.org/";
    QTest::newRow("curl, capitals") << "curl -sS http://WEB.Example.ORG/";
    QTest::newRow("wget") << "wget -qO- http://web.example.org/";
    QTest::newRow("python") << "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://web.example.org/\").read().decode(), end=\"\")'";
    QTest::newRow("bash") << "exec 3<>/dev/tcp/web.example.org/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3";
    QTest::newRow("perl") << "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(\"web.example.org:80\")"
                               " or die $!; print $s \"GET / HTTP/1.0\\r\\n\\r\\n\"; @l=<$s>; print $l[-1]'";
}

void TestNetworkLive::programsReachNames() {
    QFETCH(QString, script);
    QCOMPARE(out(script.toStdString()), QByteArray("web.example.org 80\n"));
    QCOMPARE(m_internet->wrong, std::size_t{0});
}

// Of another language, say: it links no resolver, and takes the file's word for where one is.
void TestNetworkLive::aStaticProgramDoes() {
    QFile program(CARREL_BIN_DIR "/network-helper");
    QVERIFY(program.open(QIODevice::ReadOnly));
    QVERIFY(m_rig.run({"sh", "-c", "cat > /tmp/helper && chmod +x /tmp/helper"}, program.readAll()).end.contains("\"code\":0"));
    QVERIFY2(out("/tmp/helper web.example.org").endsWith("\r\n\r\nweb.example.org 80\n"), out("/tmp/helper web.example.org").constData());
}

void TestNetworkLive::anAddressIsCarriedAsAnAddress() {
    QCOMPARE(out("curl -sS http://203.0.113.9:8080/"), QByteArray("203.0.113.9 8080\n"));
    QCOMPARE(out("curl -sS 'http://[2001:db8::9]:8080/'"), QByteArray("2001:db8::9 8080\n"));
    QCOMPARE(out("curl -sS 'http://[::ffff:203.0.113.9]:8080/'"), QByteArray("203.0.113.9 8080\n"));
}

void TestNetworkLive::theMachinesOwnStaysItsOwn() {
    const auto before = m_internet->asked.size();
    QVERIFY(out("curl -sS http://127.0.0.1:81/").contains("onnect"));
    QVERIFY(out("curl -sS http://localhost:81/").contains("onnect"));
    QVERIFY(out("curl -sS http://192.0.2.2:81/").contains("onnect"));
    QVERIFY(isBroken("198.18.0.1", 1)); // guestd's own number: nobody's
    QCOMPARE(out("cd /tmp && mkdir -p w && cd w && echo own > f && python3 -m http.server 8000 >/dev/null 2>&1 & sleep 0; "
                 "for i in $(seq 200); do curl -s http://127.0.0.1:8000/f && break; sleep 0.1; done;"
                 "curl -sS http://192.0.2.2:8000/f; curl -sS http://web.example.org:8000/; kill %1"),
             QByteArray("own\nown\nweb.example.org 8000\n"));
    QCOMPARE(m_internet->asked.size(), before + 1);
}

void TestNetworkLive::namesAreAnswered_data() {
    QTest::addColumn<QString>("query");
    QTest::addColumn<QString>("answer"); // a regular expression
    const QString python = "python3 -c 'import socket; print(sorted({a[4][0] for a in socket.getaddrinfo(\"%1\", 80)}))' 2>&1 | tail -n 1";
    QTest::newRow("both kinds") << python.arg("a.example.org") << R"(\['198\.1[89]\.\d+\.\d+', 'fd0b:2fc5:9a31:1::[0-9a-f:]+'\])";
    QTest::newRow("impossible") << python.arg("not a name") << ".*gaierror.*";
    QTest::newRow("invalid") << python.arg("x.invalid") << ".*Name or service not known";
    QTest::newRow("localhost") << python.arg("here.localhost") << R"(\['127\.0\.0\.1', '::1'\])";
    // Whatever resolver a program believes in, and by TCP as well.
    const QString raw = "python3 -c 'import socket,struct\n"
                        "q=bytes.fromhex(\"123401000001000000000000\")+b\"\\x01b\\x07example\\x03org\\0\\0\\x01\\0\\x01\"\n"
                        "%1\nprint(d[:2].hex(), d[3]&15, struct.unpack(\">H\", d[6:8])[0], d[-4])'";
    QTest::newRow("another resolver") << raw.arg("s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.connect((\"8.8.8.8\",53));s.send(q);d=s.recv(512)")
                                      << "1234 0 1 198";
    QTest::newRow("another, IPv6") << raw.arg("s=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM);s.connect((\"2001:4860:4860::8888\",53));s.send(q);d=s.recv(512)")
                                   << "1234 0 1 198";
    QTest::newRow("by TCP") << raw.arg("s=socket.create_connection((\"9.9.9.9\",53));s.send(struct.pack(\">H\",len(q))+q);d=s.recv(514)[2:]")
                            << "1234 0 1 198";
}

void TestNetworkLive::namesAreAnswered() {
    QFETCH(QString, query);
    QFETCH(QString, answer);
    const auto said = QString::fromUtf8(out(query.toStdString())).trimmed();
    QVERIFY2(QRegularExpression(QRegularExpression::anchoredPattern(answer)).match(said).hasMatch(), qPrintable(said));
}

// By the kernel's word, and not by a wait that ends.
void TestNetworkLive::datagramsAreRefusedAtOnce() {
    for (const auto* where : {"AF_INET,socket.SOCK_DGRAM);s.connect((\"203.0.113.9\",443))",
                              "AF_INET6,socket.SOCK_DGRAM);s.connect((\"2001:db8::9\",443))",
                              "AF_INET,socket.SOCK_DGRAM);s.connect((\"198.18.0.2\",124))"}) {
        const auto said = out("python3 -c 'import socket\ns=socket.socket(socket." + std::string(where) +
                              "\ns.send(b\"x\")\ntry:\n s.recv(1)\nexcept ConnectionRefusedError: print(\"refused\")'");
        QCOMPARE(said, QByteArray("refused\n"));
    }
    // Nor does what listens for everybody get what was meant for somebody else.
    QCOMPARE(out("python3 -c 'import socket\nl=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);l.bind((\"\",443))\n"
                 "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.connect((\"203.0.113.9\",443));s.send(b\"x\")\n"
                 "try:\n s.recv(1)\nexcept ConnectionRefusedError: print(\"refused\")\n"
                 "s.connect((\"127.0.0.1\",443));s.send(b\"y\");print(l.recv(1))'"),
             QByteArray("refused\nb'y'\n"));
}

// Whoever is asked: by name, by an address of any kind. The machine's clock is the host's, and its answer is that.
void TestNetworkLive::theTimeIsTheHosts() {
    for (const auto* where : {"AF_INET,socket.SOCK_DGRAM);s.connect((\"203.0.113.9\",123))",
                              "AF_INET6,socket.SOCK_DGRAM);s.connect((\"2001:db8::9\",123))",
                              "AF_INET,socket.SOCK_DGRAM);s.connect((\"time.example.org\",123))"}) {
        const auto before = QDateTime::currentSecsSinceEpoch();
        const auto said = out("python3 -c 'import socket\ns=socket.socket(socket." + std::string(where) +
                              "\ns.settimeout(60);s.send(b\"\\x23\"+bytes(39)+b\"sent now\");a=s.recv(99)\n"
                              "print(len(a),a[0]==0x24,a[1],a[12:16],a[24:32],int.from_bytes(a[40:44],\"big\")-2208988800)'");
        const auto after = QDateTime::currentSecsSinceEpoch();
        const QByteArray form("48 True 10 b'LOCL' b'sent now' ");
        QVERIFY2(said.startsWith(form), said.constData());
        const auto told = said.mid(form.size()).trimmed().toLongLong();
        QVERIFY2(told >= before - 1 && told <= after + 1, said.constData());
    }
}

void TestNetworkLive::aRefusalIsAReset() {
    QVERIFY(isBroken("refused.example.org", 443));
    QCOMPARE(m_internet->asked.back(), QByteArray("refused.example.org 443"));
}

void TestNetworkLive::halfCloseBothWays() {
    QCOMPARE(out("python3 -c 'import socket\ns=socket.create_connection((\"echo.example.org\",7))\n"
                 "s.send(b\"first\");print(s.recv(99));s.send(b\"last\");s.shutdown(socket.SHUT_WR)\n"
                 "d=b\"\"\nwhile True:\n p=s.recv(99)\n if not p: break\n d+=p\nprint(d)'"),
             QByteArray("b'first'\nb'last'\n"));
}

void TestNetworkLive::muchGoesThroughWhole() {
    QCOMPARE(out("python3 -c 'import socket,threading,hashlib\ns=socket.create_connection((\"echo.example.org\",7))\n"
                 "data=bytes(range(256))*16384\n"
                 "def send():\n s.sendall(data);s.shutdown(socket.SHUT_WR)\n"
                 "t=threading.Thread(target=send);t.start()\nd=bytearray()\n"
                 "while True:\n p=s.recv(65536)\n if not p: break\n d+=p\nt.join();print(len(d), d==data)'"),
             QByteArray("4194304 True\n"));
}

void TestNetworkLive::manyAtOnce() {
    m_internet->expected = 200;
    const auto said = out("python3 -c 'import socket\n"
                          "all=[socket.create_connection((\"count%d.example.org\"%i,80)) for i in range(200)]\n"
                          "for s in all: s.send(b\"GET / HTTP/1.0\\r\\n\\r\\n\")\n"
                          "got=set()\n"
                          "for s in all:\n d=b\"\"\n while True:\n  p=s.recv(999)\n  if not p: break\n  d+=p\n got.add(d.split(b\"\\n\")[-2])\n"
                          "print(len(got))'");
    QCOMPARE(said, QByteArray("200\n"));
}

void TestNetworkLive::nothingOfItIsTheAgents_data() {
    QTest::addColumn<QString>("attempt");
    QTest::newRow("route") << "ip route del local default dev lo metric 1 || ip route add 203.0.113.0/24 dev dummy0";
    QTest::newRow("address") << "ip addr add 203.0.113.9/32 dev lo";
    QTest::newRow("link") << "ip link set dummy0 down || ip link add x type veth";
    QTest::newRow("rules") << "ip rule add to 203.0.113.0/24 unreachable";
    QTest::newRow("setting") << "echo 1 > /proc/sys/net/ipv4/ip_forward";
    QTest::newRow("machine's network") << "nsenter -t 1 -n ip link set lo down || ls /proc/1/root/proc/1/root/disk";
}

void TestNetworkLive::nothingOfItIsTheAgents() {
    QFETCH(QString, attempt);
    const auto said = out("(" + attempt.toStdString() + ") 2>&1; echo status=$?");
    QVERIFY2(said.contains("status=") && !said.contains("status=0"), said.constData());
}

void TestNetworkLive::anotherHostEndBreaksOff() {
    const auto session = m_rig.startSession(
        {{"argv", {"python3", "-c",
                   "import socket\ns=socket.create_connection((\"echo.example.org\",7))\ns.send(b\"x\");print(s.recv(1),flush=True)\n"
                   "try:\n s.recv(1)\nexcept ConnectionResetError: print(\"reset\")"}},
         {"tty", nullptr}});
    QVERIFY(m_rig.until([&] { return m_rig.outcome(session).out == "b'x'\n"; }));
    m_rig.network().begin();
    QVERIFY(m_rig.until([&] { return m_rig.ended(session); }));
    QCOMPARE(m_rig.outcome(session).out, QByteArray("b'x'\nreset\n"));
    QVERIFY(m_rig.until([&] { return m_rig.network().mux().isOpen(); }));
    QCOMPARE(out("curl -sS http://web.example.org/"), QByteArray("web.example.org 80\n"));
}

QTEST_GUILESS_MAIN(TestNetworkLive)
#include "test_network_live.moc"
