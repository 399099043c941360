// SPDX-License-Identifier: Apache-2.0
// A model on this computer, from a program in a real machine to the server on this computer's loopback, by the command line alone: the
// one port that was named, and nothing else.
#include "tests/app/egress/listener.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QJsonArray>
#include <QTest>

#include <mutex>
#include <thread>

using namespace carrel::live;
using carrel::egress::test::Listener;

namespace {

const QString kAgent = "ann";

// Answers each request with what its head says, until it is ended. A connection without one counts for nothing.
class PlayedModel {
public:
    PlayedModel()
        : m_thread([this](const std::stop_token& stop) { serve(stop); }) {}
    ~PlayedModel() {
        m_thread.request_stop();
        const carrel::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_storage raw{};
        const auto size = m_there.endpoint().address.put(raw, port());
        (void)::connect(fd.get(), reinterpret_cast<const sockaddr*>(&raw), size);
    }
    [[nodiscard]] std::uint16_t port() const { return m_there.port(); }
    [[nodiscard]] std::size_t served() {
        const std::lock_guard lock(m_mutex);
        return m_served;
    }

private:
    void serve(const std::stop_token& stop) {
        for (;;) {
            const auto socket = m_there.accept();
            if (stop.stop_requested()) {
                return;
            }
            std::string head;
            while (head.find("\r\n\r\n") == std::string::npos) {
                const auto more = carrel::egress::test::take(socket, 1);
                if (more.empty()) {
                    break;
                }
                head += more;
            }
            if (!head.ends_with("\r\n\r\n")) { // a connection alone
                continue;
            }
            {
                const std::lock_guard lock(m_mutex);
                ++m_served;
            }
            const auto body = "the model heard " + head;
            carrel::egress::test::send(socket, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        }
    }
    Listener m_there;
    std::mutex m_mutex;
    std::size_t m_served = 0;
    std::jthread m_thread;
};

} // namespace

class TestProvidersApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void theOnePortAndNothingElse();
    void whatItsNameIsNot();
    void goneWithItsProvider();

private:
    [[nodiscard]] Ran curl(const QString& host, std::uint16_t port, const QStringList& more = {}) const {
        return m_world->carrel(QStringList{"exec", kAgent, "--", "curl", "-sS", "--max-time", "60", "http://" + host + ":" + QString::number(port) + "/v1/models"} + more);
    }
    PlayedModel m_model;
    std::unique_ptr<ChainWorld> m_world;
};

void TestProvidersApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestProvidersApp::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

// For an agent that was offline, and whose machine runs already.
void TestProvidersApp::theOnePortAndNothingElse() {
    QVERIFY(!curl("host.carrel.internal", m_model.port()).out.contains("the model heard"));
    const auto url = QString("http://localhost:%1/v1").arg(m_model.port());
    QSTATUS(m_world->carrel({"provider", "add", "local", "--api", "openai", "--url", url, "--model", "small", "--no-key"}), 0);
    const auto used = m_world->carrel({"provider", "use", kAgent, "local", "--yes"});
    QSTATUS(used, 0);
    QVERIFY2(used.out.contains("was offline. It reaches this from now on"), used.all().constData());
    const auto heard = curl("host.carrel.internal", m_model.port());
    QSTATUS(heard, 0);
    QVERIFY2(heard.out.startsWith("the model heard GET /v1/models HTTP/1.1\r\nHost: host.carrel.internal:" + QByteArray::number(m_model.port())), heard.all().constData());
    const Listener other;
    const auto elsewhere = curl("host.carrel.internal", other.port());
    QVERIFY2(elsewhere.status != 0 && !other.hasOne(), elsewhere.all().constData());
    const auto why = m_world->shell("carrel-ask why host.carrel.internal");
    QVERIFY2(why.out.contains("names that port of this computer"), why.all().constData());
    QVERIFY(m_world->carrel({"provider", "test", "local"}).out.contains("A connection can be made."));
}

void TestProvidersApp::whatItsNameIsNot() {
    const auto before = m_model.served();
    for (const char* host : {"localhost", "127.0.0.1", "carrel.internal", "127.0.0.1.example.org"}) { // the first two are the machine's own
        const auto ran = curl(host, m_model.port());
        QVERIFY2(!ran.out.contains("the model heard"), ran.all().constData());
    }
    const auto posing = curl("host.carrel.internal", m_model.port(), {"-H", "Host: localhost:" + QString::number(m_model.port())});
    QVERIFY2(!posing.out.contains("the model heard"), posing.all().constData());
    QCOMPARE(m_model.served(), before);
}

void TestProvidersApp::goneWithItsProvider() {
    QVERIFY(m_world->carrel({"provider", "remove", "local"}).status != 0); // in use
    QSTATUS(m_world->carrel({"provider", "remove", "local", "--force"}), 0);
    QVERIFY(!curl("host.carrel.internal", m_model.port()).out.contains("the model heard"));
    QCOMPARE(m_world->ask({"rules", "list"}).value("rules").toArray().size(), 0);
}

QTEST_GUILESS_MAIN(TestProvidersApp)
#include "test_providers_app.moc"
