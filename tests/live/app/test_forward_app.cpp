// SPDX-License-Identifier: Apache-2.0
// A web server in a real machine, shown on this computer by the command line alone, and looked at by a client of the test's.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QTest>

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace carrel::live;

namespace {

const QString kAgent = "ann";

// What is answered there; empty: nothing listens.
QByteArray said(int port, const QByteArray& request) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{kGuardMs / 1000, 0};
    (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    QByteArray all;
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
        for (qsizetype sent = 0; sent < request.size();) {
            const auto put = ::send(socket, request.constData() + sent, static_cast<std::size_t>(request.size() - sent), MSG_NOSIGNAL);
            if (put <= 0) {
                break;
            }
            sent += put;
        }
        char buffer[65536];
        for (ssize_t got = 0; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;) {
            all.append(buffer, got);
        }
    }
    ::close(socket);
    return all;
}

struct Place {
    int number = 0;
    QByteArray host; // with the port
    int at = 0;
    [[nodiscard]] QByteArray get(const QByteArray& path, const QByteArray& more = {}) const {
        return said(at, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n");
    }
};

Place placeOf(const QJsonObject& forward) {
    const int at = forward.value("at").toInt();
    return {forward.value("number").toInt(), forward.value("host").toString().toUtf8() + ":" + QByteArray::number(at), at};
}

int asked(const QByteArray& page) {
    const auto from = page.indexOf("asked ");
    return from < 0 ? -1 : page.mid(from + 6).split(' ').value(0).toInt();
}

} // namespace

class TestForwardApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void onlyOnTheOwnersWord();
    void aPageInTheBrowser();
    void onlyByItsName();
    void noOtherSiteGetsAtIt();
    void itLeadsNowhereElse();
    void muchBothWays();
    void nobodyListens();
    void aServerOfVersionSix();
    void itGoesOnWithAnotherClerk();
    void theAgentAsks();
    void itEndsWithItsCommand();
    void itEndsWithTheAgent();
    void theTimelineTellsOfIt();
    void aKilledEngineLeavesNoneOpen();

private:
    [[nodiscard]] std::unique_ptr<QProcess> serve(const QString& family, const QString& port) const {
        return m_world->begin({"exec", kAgent, "--", "python3", "-c", QString::fromStdString(readFile(CARREL_SOURCE_DIR "/tests/live/app/shown_server.py")), family, port});
    }
    [[nodiscard]] Place open(const QString& port) const {
        return placeOf(m_world->ask({"forward", kAgent, port, "--background", "--yes"}).value("forward").toObject());
    }
    std::unique_ptr<ChainWorld> m_world;
    std::unique_ptr<QProcess> m_server;
    Place m_place;
};

void TestForwardApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    m_server = serve("4", "8000");
    QByteArray seen;
    QSEES(*m_server, StandardOutput, "serving");
}

void TestForwardApp::cleanupTestCase() {
    if (m_world) {
        if (m_server) {
            m_server->kill();
            (void)finish(*m_server);
        }
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestForwardApp::onlyOnTheOwnersWord() {
    const auto ran = m_world->carrel({"forward", kAgent, "8000"}); // nobody to ask
    QVERIFY2(ran.status == 1 && ran.err.contains("no terminal"), ran.all().constData());
    QVERIFY(m_world->ask({"forward", "list", kAgent}).value("forwards").toArray().isEmpty());
    const auto rule = m_world->ask({"rules", "add", "--deny", "--action", "forward", "--yes"}).value("rule").toObject().value("id").toInt();
    QSTATUS(m_world->carrel({"forward", kAgent, "8000", "--yes"}), 1);
    QSTATUS(m_world->carrel({"rules", "remove", QString::number(rule)}), 0);
}

void TestForwardApp::aPageInTheBrowser() {
    m_place = open("8000");
    QVERIFY(m_place.at > 0 && m_place.host.contains(".localhost:"));
    const auto page = m_place.get("/", "Sec-Fetch-Site: none\r\n");
    QVERIFY2(page.startsWith("HTTP/1.1 200 OK\r\n") && page.endsWith("asked 1 for " + m_place.host + "\n"), page.constData());
    QVERIFY2(page.contains("\r\nContent-Security-Policy: default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws://" + m_place.host), page.constData());
    QVERIFY(page.contains("\r\nContent-Security-Policy: default-src *\r\n")); // its own counts as well, but is not reported
    QVERIFY(page.contains("\r\nSet-Cookie: a=b; Path=/\r\n"));
    QVERIFY(page.contains("\r\nCross-Origin-Opener-Policy: same-origin\r\n"));
}

void TestForwardApp::onlyByItsName() {
    for (const QByteArray& host : {QByteArray("evil.example.org"), "127.0.0.1:" + QByteArray::number(m_place.at), "localhost:" + QByteArray::number(m_place.at)}) {
        const auto page = said(m_place.at, "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
        QVERIFY2(page.startsWith("HTTP/1.1 421 "), page.constData());
        QVERIFY(!page.contains(m_place.host.left(32)));
    }
    QCOMPARE(asked(m_place.get("/")), 2); // nothing of it has come there
}

void TestForwardApp::noOtherSiteGetsAtIt() {
    const auto form = said(m_place.at, "POST / HTTP/1.1\r\nHost: " + m_place.host + "\r\nOrigin: https://evil.example.org\r\nContent-Length: 0\r\n\r\n");
    QVERIFY2(form.startsWith("HTTP/1.1 403 "), form.constData());
    const auto picture = m_place.get("/", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n");
    QVERIFY2(picture.startsWith("HTTP/1.1 403 "), picture.constData());
    QCOMPARE(asked(m_place.get("/")), 3);
}

void TestForwardApp::itLeadsNowhereElse() {
    const auto away = m_place.get("/away");
    QVERIFY2(away.startsWith("HTTP/1.1 403 ") && !away.contains("\r\nLocation:") && away.contains("evil.example.org"), away.constData());
    const auto own = m_place.get("/own"); // as the server knows itself
    QVERIFY2(own.startsWith("HTTP/1.1 302 ") && own.contains("\r\nLocation: http://" + m_place.host + "/there\r\n"), own.constData());
}

void TestForwardApp::muchBothWays() {
    QCOMPARE(m_place.get("/much").size() - m_place.get("/much").indexOf("\r\n\r\n") - 4, qsizetype(4 * 1024 * 1024));
    const QByteArray body(3 * 1024 * 1024, 'x');
    const auto page = said(m_place.at, "POST / HTTP/1.1\r\nHost: " + m_place.host + "\r\nConnection: close\r\nContent-Length: " +
                                           QByteArray::number(body.size()) + "\r\n\r\n" + body);
    QVERIFY2(page.endsWith("\r\n\r\n" + QByteArray::number(body.size())), page.constData());
}

void TestForwardApp::nobodyListens() {
    const auto page = open("8001").get("/");
    QVERIFY2(page.startsWith("HTTP/1.1 502 ") && page.contains("port 8001"), page.constData());
}

void TestForwardApp::aServerOfVersionSix() {
    const auto server = serve("6", "8006");
    QByteArray seen;
    QSEES(*server, StandardOutput, "serving");
    const auto page = open("8006").get("/");
    QVERIFY2(page.contains("asked 1 for "), page.constData());
    server->kill();
    (void)finish(*server);
}

void TestForwardApp::itGoesOnWithAnotherClerk() {
    const auto clerk = m_world->clerkPid();
    writeFile(m_world->folder() / "papers/one.txt", "one\n");
    QSTATUS(m_world->carrel({"share", "add", kAgent, m_world->path("papers")}), 0);
    QVERIFY(m_world->clerkPid() != clerk);
    const auto page = m_place.get("/");
    QVERIFY2(page.startsWith("HTTP/1.1 200 "), page.constData());
}

void TestForwardApp::theAgentAsks() {
    const auto asking = m_world->begin({"exec", kAgent, "--", "carrel-ask", "forward", "8000", "--reason", "the preview is ready"});
    const auto waits = [&] { return m_world->ask({"approvals"}).value("approvals").toArray(); };
    QTRY_COMPARE_WITH_TIMEOUT(waits().size(), qsizetype(1), kGuardMs);
    const auto id = QString::number(waits().at(0).toObject().value("id").toInteger());
    QVERIFY(m_world->carrel({"allow", id, "--yes"}).status != 0); // of high risk
    const auto forward = m_world->ask({"allow", id, "--confirm", "port-8000"}).value("forward").toObject();
    const auto asked = finish(*asking);
    QVERIFY2(asked.status == 0 && asked.out.contains("port 8000 of the machine is shown") && !asked.all().contains("localhost"), asked.all().constData());
    const auto place = placeOf(forward);
    QVERIFY(place.get("/").startsWith("HTTP/1.1 200 "));
    QSTATUS(m_world->carrel({"forward", "close", kAgent, QString::number(place.number)}), 0);
}

void TestForwardApp::itEndsWithItsCommand() {
    const auto command = m_world->begin({"forward", kAgent, "8000", "--yes", "--json"});
    QByteArray seen;
    QSEES(*command, StandardOutput, "\n");
    const auto place = placeOf(QJsonDocument::fromJson(seen.left(seen.indexOf('\n'))).object().value("forward").toObject());
    QVERIFY2(place.get("/").startsWith("HTTP/1.1 200 "), seen.constData());
    QVERIFY(::kill(static_cast<pid_t>(command->processId()), SIGINT) == 0);
    QCOMPARE(finish(*command).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(place.get("/").isEmpty(), kGuardMs);
    QVERIFY(m_place.get("/").startsWith("HTTP/1.1 200 ")); // and no other does
    QSTATUS(m_world->carrel({"forward", "close", kAgent, QString::number(m_place.number)}), 0);
    QVERIFY(m_place.get("/").isEmpty());
}

void TestForwardApp::itEndsWithTheAgent() {
    const auto offline = open("8000");
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "offline"}), 0); // the brake
    QVERIFY(offline.get("/").isEmpty());
    const auto command = m_world->begin({"forward", kAgent, "8000", "--yes", "--json"});
    QByteArray seen;
    QSEES(*command, StandardOutput, "\n");
    const auto place = placeOf(QJsonDocument::fromJson(seen.left(seen.indexOf('\n'))).object().value("forward").toObject());
    QVERIFY(place.get("/").startsWith("HTTP/1.1 200 "));
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    const auto ended = finish(*command);
    QVERIFY2(ended.status == 1 && ended.err.contains("stopped"), ended.all().constData());
    QVERIFY(place.get("/").isEmpty());
}

void TestForwardApp::theTimelineTellsOfIt() { // I5, I9
    QStringList kinds;
    for (const auto& event : m_world->timeline({"--kind", "forward"})) {
        QCOMPARE(event.value("provenance").toString(), "host");
        if (event.value("detail").toObject().value("number").toInt() == m_place.number) {
            kinds << event.value("kind").toString();
            QCOMPARE(event.value("subject").toString(), "8000");
        }
    }
    QVERIFY2(kinds.size() >= 3 && kinds.front() == "forward.opened" && kinds.at(1) == "forward.traffic" && kinds.back() == "forward.closed",
             qPrintable(kinds.join(' ')));
}

void TestForwardApp::aKilledEngineLeavesNoneOpen() {
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    const auto place = open("8001");
    QVERIFY(killHard(m_world->enginePid()));
    QJsonObject last;
    for (const auto& event : m_world->timeline({"--kind", "forward"})) { // of the next engine
        last = event;
    }
    QCOMPARE(last.value("kind").toString(), "forward.closed");
    const auto detail = last.value("detail").toObject();
    QCOMPARE(detail.value("at").toInt(), place.at);
    QCOMPARE(detail.value("why").toString(), "The engine ended");
    QVERIFY(place.get("/").isEmpty());
}

QTEST_GUILESS_MAIN(TestForwardApp)
#include "test_forward_app.moc"
