// SPDX-License-Identifier: Apache-2.0
// A program in a real machine asks, the owner answers on the engine's socket, and the program goes on with what that was. The
// functions share the machine and run in order.
#include "app/api/client.h"
#include "app/api/home.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QDeadlineTimer>
#include <QTest>
#include <boost/json.hpp>

#include <thread>

using namespace carrel;
using namespace carrel::live;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const QString kAgent = "ann";

} // namespace

class TestAsks : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();

    void anAllowedApplyStandsOnTheHost();
    void aDeniedOneDoesNot();
    void takenBack();
    void aFolderOfTheOwnersChoice();
    void comesBackAfterTheEnginesRestart();
    void wrongWords();

private:
    [[nodiscard]] std::unique_ptr<QProcess> asks(const QString& script) const { return m_world->begin({"exec", kAgent, "--", "sh", "-c", script}); }
    // The owner's side. Empty where the verb failed.
    [[nodiscard]] json::object verb(const std::string& name, json::object params) const;
    [[nodiscard]] json::object waiting() const; // the one request that is open, when there is one
    [[nodiscard]] json::object decide(const json::object& of, const char* effect, json::object more = {}) const;

    std::unique_ptr<ChainWorld> m_world;
};

json::object TestAsks::verb(const std::string& name, json::object params) const {
    const auto home = api::openHome(m_world->folder() / "home");
    const auto socket = home ? api::socketPath(*home) : fail(home.error());
    auto client = socket ? api::Client::connect(*socket) : fail(socket.error());
    auto answer = client ? client->call(name, std::move(params)) : fail(client.error());
    if (!answer) {
        qWarning("%s: %s", name.c_str(), answer.error().text().c_str());
    }
    return answer ? answer->as_object() : json::object{};
}

json::object TestAsks::waiting() const {
    const QDeadlineTimer guard(kGuardMs);
    while (!guard.hasExpired()) {
        const auto list = verb("approval.list", {});
        const auto* all = list.if_contains("approvals");
        if (all != nullptr && !all->as_array().empty()) {
            return all->as_array().front().as_object();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return {};
}

json::object TestAsks::decide(const json::object& of, const char* effect, json::object more) const {
    if (of.empty()) {
        return {};
    }
    json::object params{{"id", of.at("id")},         {"effect", effect},           {"scope", "once"},
                        {"digest", of.at("digest")}, {"revision", of.at("revision")}, {"asked", of.at("asked")}};
    for (const auto& each : more) {
        params[each.key()] = each.value();
    }
    return verb("approval.decide", std::move(params));
}

void TestAsks::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    writeFile(m_world->folder() / "work" / "plain.txt", "one\n");
    writeFile(m_world->folder() / "pictures" / "cat.txt", "a cat\n");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestAsks::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestAsks::anAllowedApplyStandsOnTheHost() {
    const auto program = asks("cd /workspace/work && echo two >> plain.txt && carrel-ask apply plain.txt --reason 'one more line'");
    const auto of = waiting();
    QVERIFY(!of.empty());
    QCOMPARE(of.at("claim"), json::value("one more line"));
    QCOMPARE(readFile(m_world->folder() / "work" / "plain.txt"), std::string("one\n"));
    const auto done = decide(of, "allow");
    QVERIFY(!done.empty() && !done.contains("effect_trouble"));
    QCOMPARE(readFile(m_world->folder() / "work" / "plain.txt"), std::string("one\ntwo\n"));
    QSTATUS(finish(*program), 0);
}

void TestAsks::aDeniedOneDoesNot() {
    const auto program = asks("cd /workspace/work && echo three >> plain.txt && carrel-ask apply --reason 'another'");
    QVERIFY(!decide(waiting(), "deny").empty());
    QSTATUS(finish(*program), 1);
    QCOMPARE(readFile(m_world->folder() / "work" / "plain.txt"), std::string("one\ntwo\n"));
    QSTATUS(m_world->carrel({"discard", kAgent, "--yes"}), 0);
}

// A denial brings a pause of ten seconds: the program tries until it may ask.
void TestAsks::takenBack() {
    const auto ran = m_world->shell("cd /workspace/work && echo four > new.txt\n"
                                    "for i in $(seq 60); do n=$(carrel-ask apply --no-wait --reason x); [ $? = 75 ] && break; sleep 1; done\n"
                                    "carrel-ask withdraw $n && carrel-ask why $n; exit $?");
    QSTATUS(ran, 3);
    QVERIFY(!fs::exists(m_world->folder() / "work" / "new.txt"));
    QSTATUS(m_world->carrel({"discard", kAgent, "--yes"}), 0);
}

void TestAsks::aFolderOfTheOwnersChoice() {
    const auto program = asks("carrel-ask folder --reason 'the pictures' && cat /workspace/pictures/cat.txt");
    const auto of = waiting();
    QVERIFY(!of.empty());
    QCOMPARE(of.at("action"), json::value("folder"));
    QVERIFY(decide(of, "allow").empty()); // none is chosen
    const auto dir = fs::canonical(m_world->folder() / "pictures").string();
    const auto done = decide(of, "allow", {{"folder", dir}, {"mode", "read-only"}});
    QVERIFY(!done.empty() && !done.contains("effect_trouble"));
    const auto ran = finish(*program);
    QSTATUS(ran, 0);
    QVERIFY2(ran.out.contains("/workspace/pictures") && ran.out.endsWith("a cat\n"), ran.all().constData());
}

void TestAsks::comesBackAfterTheEnginesRestart() {
    QSTATUS(m_world->shell("cd /workspace/work && echo five > late.txt && carrel-ask apply --no-wait --reason late > /tmp/n; [ $? = 75 ]"), 0);
    QVERIFY(!waiting().empty());
    QSTATUS(m_world->carrel({"engine", "stop"}), 0);
    QSTATUS(m_world->carrel({"list"}), 0); // begins it anew
    const auto program = asks("carrel-ask wait $(cat /tmp/n)");
    QVERIFY(!decide(waiting(), "allow").empty());
    QSTATUS(finish(*program), 0);
    QCOMPARE(readFile(m_world->folder() / "work" / "late.txt"), std::string("five\n"));
}

void TestAsks::wrongWords() {
    QSTATUS(m_world->shell("carrel-ask apply"), 64);
    QSTATUS(m_world->shell("carrel-ask wait 4711"), 64);
    QSTATUS(m_world->shell("cd /tmp && carrel-ask apply x --reason y"), 64);
}

QTEST_GUILESS_MAIN(TestAsks)
#include "test_asks.moc"
