// SPDX-License-Identifier: Apache-2.0
// The authority that the engine keeps for an agent, in that agent's machine and in no other one: over stops and starts, over another
// guestd, and over another account of the agent's. By the command line alone.
#include "app/relay/leaf_issuer.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QJsonDocument>
#include <QTest>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>

using namespace carrel;
using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "ann";

} // namespace

class TestTrustChain : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void itsProgramsTakeWhatTheEngineSigns();
    void onceAfterARestart();
    void anotherAccountHasIt();
    void anotherGuestdHasIt();
    void nobodyHadToSaySo();

private:
    [[nodiscard]] fs::path folder() const; // the agent's, in Carrel's home
    [[nodiscard]] QByteArray seen(const QString& script) const;
    // What a machine says of it: how often it is in the bundle, and what openssl says of a host's certificate.
    void isThereOnce();

    std::unique_ptr<ChainWorld> m_world;
};

void TestTrustChain::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString(), ChainWorld::Programs::WithHelper);
    QVERIFY(m_world->prepare());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestTrustChain::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

fs::path TestTrustChain::folder() const {
    for (const auto& each : fs::directory_iterator(m_world->folder() / "home/agents")) {
        if (fs::exists(each.path() / "authority.pem")) {
            return each.path();
        }
    }
    return {};
}

QByteArray TestTrustChain::seen(const QString& script) const {
    const auto ran = m_world->shell(script);
    return ran.status == 0 ? ran.out : ran.all();
}

void TestTrustChain::isThereOnce() {
    const auto pem = readFile(folder() / "authority.pem");
    QVERIFY(!pem.empty());
    const auto body = QString::fromStdString(pem).split('\n').at(1);
    QCOMPARE(seen("grep -cxF -- '" + body + "' /etc/ssl/certs/ca-certificates.crt"), "1\n");
    QCOMPARE(seen("cat /usr/local/share/ca-certificates/carrel-agent.crt"), QByteArray::fromStdString(pem));
    auto issuer = relay::LeafIssuer::create(pem, readFile(folder() / "authority.key"));
    QVERIFY(issuer);
    const auto leaf = issuer->leafFor("api.example.org", std::chrono::system_clock::now());
    QVERIFY(leaf);
    const relay::BioPtr text(::BIO_new(::BIO_s_mem()));
    QVERIFY(::PEM_write_bio_X509(text.get(), (*leaf)->certificate.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(text.get(), &data);
    const auto verified = m_world->carrel({"exec", kAgent, "--", "openssl", "verify", "-verify_hostname", "api.example.org"}, QByteArray(data, size));
    QVERIFY2(verified.status == 0 && verified.out == "stdin: OK\n", verified.all().constData());
    QCOMPARE(seen("echo $NODE_EXTRA_CA_CERTS $REQUESTS_CA_BUNDLE"), "/usr/local/share/ca-certificates/carrel-agent.crt /etc/ssl/certs/ca-certificates.crt\n");
}

void TestTrustChain::itsProgramsTakeWhatTheEngineSigns() {
    QDO(isThereOnce());
    QCOMPARE(seen("grep -rl 'PRIVATE KEY' /usr/local/share/ca-certificates /etc/ssl/certs | wc -l"), "0\n"); // never the key
}

void TestTrustChain::onceAfterARestart() {
    const QString stamps = "stat -c '%i %Y' /etc/ssl/certs /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/carrel-agent.crt";
    const auto before = seen(stamps);
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QCOMPARE(seen(stamps), before); // nothing was written again
    QDO(isThereOnce());
}

void TestTrustChain::anotherAccountHasIt() {
    QCOMPARE(seen("rm /etc/ssl/certs/carrel-agent.pem /usr/local/share/ca-certificates/carrel-agent.crt /etc/ssl/certs/ca-certificates.crt && echo gone"), "gone\n");
    const auto before = m_world->helper("pids agent-init");
    QCOMPARE(m_world->helper("kill agent-init"), "1");
    const auto another = [&] {
        const auto now = m_world->helper("pids agent-init");
        return now.toLongLong() > 1 && now != before;
    };
    QTRY_VERIFY_WITH_TIMEOUT(another(), kGuardMs);
    QTRY_COMPARE_WITH_TIMEOUT(m_world->shell("echo up").out, "up\n", kGuardMs);
    const auto pem = readFile(folder() / "authority.pem");
    QCOMPARE(seen("cat /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/carrel-agent.crt"), QByteArray::fromStdString(pem + pem)); // the rest was taken away
    QCOMPARE(seen("env | grep -c REQUESTS_CA_BUNDLE || true"), "0\n");
    // The machine's own tool puts the rest back beside it; three of them, as an emulated machine needs a minute for all.
    QCOMPARE(seen("grep -m3 ^mozilla /etc/ca-certificates.conf > /tmp/three && cp /tmp/three /etc/ca-certificates.conf &&"
                  "update-ca-certificates > /dev/null 2>&1; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt"), "4\n");
}

void TestTrustChain::anotherGuestdHasIt() {
    QCOMPARE(m_world->helper("kill carrel-guestd"), "1");
    QTRY_COMPARE_WITH_TIMEOUT(m_world->shell("echo up").out, "up\n", kGuardMs);
    QDO(isThereOnce());
}

void TestTrustChain::nobodyHadToSaySo() {
    for (const auto& event : m_world->timeline()) {
        const auto kind = event.value("kind").toString();
        const auto text = QJsonDocument(event).toJson(QJsonDocument::Compact);
        QVERIFY2((kind != "engine.note" && kind != "guest.log") || !text.contains("trust"), text.constData());
    }
}

QTEST_GUILESS_MAIN(TestTrustChain)
#include "test_trust_chain.moc"
