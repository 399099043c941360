// SPDX-License-Identifier: Apache-2.0
// The network from a program in a real machine to the far end, by the command line alone. The far end is a proxy of the test's that
// the engine is told of as of any user's, and that stands for every host.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"
#include "tests/live/app/played_proxy.h"

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QTest>

#include <algorithm>

using namespace carrel::live;

namespace {

const QString kAgent = "ann";

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::find(all, one) != all.end();
}

} // namespace

class TestNetworkApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void offlineUntilTheOwnerSaysOtherwise();
    void aRuleAllowsOneHostAndPort();
    void theMachineKnowsWhyAConnectionWasRefused();
    void aProxyIsAHostLikeAnyOther();
    void anEndedRuleCutsWhatItAllowed();
    void aConnectionOutlivesANewShare();
    void aPersonIsAskedOnceForADestination();
    void aDeniedOneIsToldWhy();
    void theTimelineTellsOfIt();
    void aDayThatIsUsedUpCutsAndSaysSo();
    void offlineCutsAtOnce();

private:
    [[nodiscard]] Ran curl(const QString& url) const { return m_world->carrel({"exec", kAgent, "--", "curl", "-sS", "--max-time", "60", url}); }
    [[nodiscard]] int allow(const QString& host, int port = 80) const; // the rule's number
    [[nodiscard]] std::vector<int> open() const;        // requests that wait
    [[nodiscard]] QJsonArray live() const { return m_world->ask({"net", "live", kAgent}).value("connections").toArray(); }

    PlayedProxy m_proxy;
    std::unique_ptr<ChainWorld> m_world;
};

int TestNetworkApp::allow(const QString& host, int port) const {
    return m_world->ask({"rules", "add", "--allow", "--action", "network", "--agent", kAgent, "--field", "host=" + host, "--field", QString("port=%1").arg(port), "--yes"})
        .value("rule")
        .toObject()
        .value("id")
        .toInt();
}

std::vector<int> TestNetworkApp::open() const {
    std::vector<int> out;
    for (const auto& each : m_world->ask({"approvals"}).value("approvals").toArray()) {
        if (each.toObject().value("state").toString() == "open") {
            out.push_back(each.toObject().value("id").toInt());
        }
    }
    return out;
}

void TestNetworkApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    QVERIFY(m_proxy.valid());
    qputenv("HTTP_PROXY", QByteArray::fromStdString(m_proxy.url()));
    qputenv("ALL_PROXY", QByteArray::fromStdString(m_proxy.url())); // for what is neither port's
    for (const char* other : {"http_proxy", "HTTPS_PROXY", "https_proxy", "all_proxy", "NO_PROXY", "no_proxy"}) {
        qunsetenv(other);
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestNetworkApp::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestNetworkApp::offlineUntilTheOwnerSaysOtherwise() {
    QCOMPARE(m_world->ask({"net", "mode", kAgent}).value("mode").toString(), "offline");
    (void)allow("before.example.org"); // a rule alone is no network
    const auto ran = curl("http://before.example.org/");
    QVERIFY2(!ran.out.contains("here is"), ran.all().constData());
    QVERIFY(m_proxy.asked().empty());
}

void TestNetworkApp::aRuleAllowsOneHostAndPort() {
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "allowlist"}), 0);
    QVERIFY(allow("files.example.org") > 0);
    auto ran = curl("http://files.example.org/papers");
    QSTATUS(ran, 0);
    QCOMPARE(ran.out, "here is files.example.org:80/papers\n");
    ran = curl("http://other.example.org/");
    QVERIFY2(!ran.out.contains("here is") && ran.out.contains("other.example.org"), ran.all().constData()); // the page says why
    ran = curl("http://files.example.org:8080/");
    QVERIFY2(ran.status != 0 && !ran.out.contains("here is"), ran.all().constData());
    QVERIFY(contains(m_proxy.asked(), "files.example.org:80"));
    for (const auto& place : m_proxy.asked()) {
        QCOMPARE(place, "files.example.org:80");
    }
}

// What speaks no plain HTTP sees a reset, in words that depend on when it comes, and asks for the rest.
void TestNetworkApp::theMachineKnowsWhyAConnectionWasRefused() {
    auto ran = curl("http://why.example.org:8080/");
    QVERIFY2(ran.status != 0 && ran.out.isEmpty(), ran.all().constData());
    ran = m_world->carrel({"exec", kAgent, "--", "carrel-ask", "why", "why.example.org"});
    QSTATUS(ran, 0);
    QVERIFY2(ran.out.startsWith("connection  ") && ran.out.contains("  denied  why.example.org port 8080  "), ran.all().constData());
    QCOMPARE(ran.out.count('\n'), 1);
    QVERIFY2(curl("http://why.example.org/").out.contains("why.example.org"), "the page says it");
    ran = m_world->carrel({"exec", kAgent, "--", "carrel-ask", "why"});
    QVERIFY2(ran.status == 0 && ran.out.contains("  denied  why.example.org port 80  "), ran.all().constData());
    ran = m_world->carrel({"exec", kAgent, "--", "carrel-ask", "why", "never.example.org"});
    QVERIFY2(ran.status == 4 && ran.out.isEmpty(), ran.all().constData());
}

// A program that is told to go through one: what counts is the proxy, and not whom it is asked for. At the port of plain HTTP, where
// requests are read, none can be.
void TestNetworkApp::aProxyIsAHostLikeAnyOther() {
    m_proxy.putUp("proxy.example.org:3128", [](const PlayedRequest& request) {
        return playedResponse(200, "text/plain", "by proxy " + request.method + " " + request.target + "\n");
    });
    const auto through = [&](const QString& proxy, const QString& url) {
        return m_world->carrel({"exec", kAgent, "--", "env", "http_proxy=" + proxy, "curl", "-sS", "--max-time", "60", url});
    };
    QVERIFY(allow("inside.example.org") > 0); // no help
    auto ran = through("http://proxy.example.org:3128", "http://inside.example.org/");
    QVERIFY2(ran.status != 0 && ran.out.isEmpty(), ran.all().constData());
    QVERIFY(!contains(m_proxy.asked(), "proxy.example.org:3128"));
    QVERIFY(allow("proxy.example.org", 3128) > 0);
    ran = through("http://proxy.example.org:3128", "http://beyond.example.org/a");
    QSTATUS(ran, 0);
    QCOMPARE(ran.out, "by proxy GET http://beyond.example.org/a\n");
    QVERIFY(contains(m_proxy.asked(), "proxy.example.org:3128") && !contains(m_proxy.asked(), "beyond.example.org:80"));
    ran = through("http://inside.example.org:80", "http://beyond.example.org/b");
    QVERIFY2(ran.out.contains("the request is one to a proxy") && ran.out.contains("outcome: bad-request"), ran.all().constData());
    QVERIFY(std::ranges::none_of(m_proxy.requests(), [](const std::string& each) { return each.find("beyond.example.org/b") != std::string::npos; }));
}

void TestNetworkApp::anEndedRuleCutsWhatItAllowed() {
    const auto rule = allow("stream.example.org");
    QVERIFY(rule > 0);
    auto stream = m_world->begin({"exec", kAgent, "--", "curl", "-sSN", "http://stream.example.org/for-ever"});
    QByteArray seen;
    QSEES(*stream, StandardOutput, "tick"); // it comes as it is sent
    const auto connections = live();
    const auto one = std::ranges::find_if(connections, [](const QJsonValue& each) { return each.toObject().value("host").toString() == "stream.example.org"; });
    QVERIFY(one != connections.end());
    QCOMPARE((*one).toObject().value("rule").toInt(), rule);
    QVERIFY((*one).toObject().value("address").isNull()); // only the proxy knows
    QSTATUS(m_world->carrel({"rules", "remove", QString::number(rule)}), 0);
    const auto ended = finish(*stream);
    QVERIFY2(ended.status > 0 && ended.status != 125, ended.err.constData()); // curl says that it was cut
    QVERIFY(!curl("http://stream.example.org/").out.contains("here is"));
}

// A new share is a new clerk for the folders; whoever has the connections can open none, and stays.
void TestNetworkApp::aConnectionOutlivesANewShare() {
    QVERIFY(allow("stays.example.org") > 0);
    auto stream = m_world->begin({"exec", kAgent, "--", "curl", "-sSN", "http://stays.example.org/for-ever"});
    QByteArray seen;
    QSEES(*stream, StandardOutput, "tick");
    const auto before = m_world->clerkPid();
    QVERIFY(QDir().mkpath(m_world->path("papers")));
    QSTATUS(m_world->carrel({"share", "add", kAgent, m_world->path("papers")}), 0);
    QVERIFY(m_world->clerkPid() != before);
    seen.clear();
    QSEES(*stream, StandardOutput, "tick");
    QCOMPARE(live().size(), 1);
    stream->terminate();
    (void)finish(*stream);
    QTRY_VERIFY_WITH_TIMEOUT(live().isEmpty(), kGuardMs);
}

void TestNetworkApp::aPersonIsAskedOnceForADestination() {
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "ask"}), 0);
    auto first = m_world->begin({"exec", kAgent, "--", "curl", "-sS", "http://asked.example.org/one"});
    auto second = m_world->begin({"exec", kAgent, "--", "curl", "-sS", "http://asked.example.org/two"});
    std::vector<int> waiting;
    QTRY_VERIFY_WITH_TIMEOUT(!(waiting = open()).empty(), kGuardMs);
    QCOMPARE(waiting.size(), 1U); // one for both
    const auto id = waiting.front();
    const auto shown = m_world->carrel({"show", QString::number(id)});
    QVERIFY2(shown.out.contains("asked.example.org"), shown.out.constData());
    QVERIFY(!contains(m_proxy.asked(), "asked.example.org:80")); // nothing before the answer
    QSTATUS(m_world->carrel({"allow", QString::number(id), "--scope", "session", "--yes"}), 0);
    QCOMPARE(finish(*first).out, "here is asked.example.org:80/one\n");
    QCOMPARE(finish(*second).out, "here is asked.example.org:80/two\n");
    QCOMPARE(curl("http://asked.example.org/three").out, "here is asked.example.org:80/three\n"); // by the rule
}

void TestNetworkApp::aDeniedOneIsToldWhy() {
    auto ask = m_world->begin({"exec", kAgent, "--", "curl", "-sS", "-w", "%{http_code}", "http://denied.example.org/"});
    std::vector<int> waiting;
    QTRY_VERIFY_WITH_TIMEOUT(!(waiting = open()).empty(), kGuardMs);
    QSTATUS(m_world->carrel({"deny", QString::number(waiting.front()), "--yes"}), 0);
    const auto ran = finish(*ask);
    QVERIFY2(ran.out.endsWith("403") && ran.out.contains("denied.example.org"), ran.all().constData());
    QVERIFY(!contains(m_proxy.asked(), "denied.example.org:80"));
}

void TestNetworkApp::theTimelineTellsOfIt() { // I9
    const auto text = [](const QJsonObject& event) { return QString::fromUtf8(QJsonDocument(event).toJson(QJsonDocument::Compact)); };
    QStringList kinds;
    for (const auto& event : m_world->timeline()) {
        if (text(event).contains("asked.example.org")) {
            const auto kind = event.value("kind").toString();
            kinds << kind;
            // What a program there was started with and wanted is its machine's word; nothing else is.
            QCOMPARE(event.value("provenance").toString(), kind.startsWith("program.") || kind == "net.tried" ? "guest" : "host");
        }
    }
    QVERIFY2(kinds.contains("approval.asked") && kinds.indexOf("approval.asked") < kinds.indexOf("approval.decided"), qPrintable(kinds.join(' ')));
}

void TestNetworkApp::aDayThatIsUsedUpCutsAndSaysSo() {
    constexpr int kMiB = 1024 * 1024;
    m_proxy.putUp("large.example.org:80", [](const PlayedRequest&) { return playedResponse(200, "text/plain", std::string(4 * kMiB, 'x')); });
    QVERIFY(allow("large.example.org") > 0);
    const auto download = [this] {
        return m_world->carrel({"exec", kAgent, "--", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "http://large.example.org/"});
    };
    const auto used = m_world->ask({"net", "limit", kAgent}).value("limits").toObject().value("used").toInt();
    QSTATUS(m_world->carrel({"net", "limit", kAgent, "--day", QString::number(used + kMiB)}), 0);
    const auto cut = download();
    QVERIFY2(cut.status > 0 && cut.status != 125 && cut.out.startsWith("200 "), cut.all().constData()); // curl says that it is not all of it
    const auto came = cut.out.mid(4).toInt();
    // Not a byte beyond; less by what had come to this computer and the machine had not been given yet: the line has carried it.
    QVERIFY2(came > 0 && came <= kMiB, cut.out.constData());
    const auto page = curl("http://large.example.org/");
    QVERIFY2(page.out.contains("A limit is reached.") && page.out.contains("that its owner lets it carry in a day"), page.all().constData());
    int told = 0;
    for (const auto& event : m_world->timeline()) {
        told += event.value("kind").toString() == "net.spent" ? 1 : 0;
    }
    QCOMPARE(told, 1);
    QSTATUS(m_world->carrel({"net", "limit", kAgent, "--day", "none"}), 0);
    const auto whole = download();
    QSTATUS(whole, 0);
    QCOMPARE(whole.out, QByteArray("200 " + QByteArray::number(4 * kMiB)));
}

void TestNetworkApp::offlineCutsAtOnce() {
    (void)allow("last.example.org");
    auto stream = m_world->begin({"exec", kAgent, "--", "curl", "-sSN", "http://last.example.org/for-ever"});
    QByteArray seen;
    QSEES(*stream, StandardOutput, "tick");
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "offline"}), 0);
    const auto ended = finish(*stream);
    QVERIFY2(ended.status > 0 && ended.status != 125, ended.err.constData());
    QVERIFY(live().isEmpty());
}

QTEST_GUILESS_MAIN(TestNetworkApp)
#include "test_network_app.moc"
