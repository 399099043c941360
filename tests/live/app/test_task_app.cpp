// SPDX-License-Identifier: Apache-2.0
// A task from its first word to what is applied, by the command line, with the built-in agent in a real machine and a model on this
// computer that a test plays: what is counted, what a follow-up does, and what becomes of it when it is cancelled, its budget ends, its
// machine is stopped, and its engine is killed.
#include "tests/live/app/chain_world.h"
#include "tests/support/model_server/model_server.h"

#include <QJsonDocument>
#include <QTest>

#include <signal.h>

using namespace carrel::live;
namespace model = carrel::test::model;

namespace {

const QString kAgent = "desk";

// In the order in which the test asks for them.
constexpr std::string_view kScenario = R"json({"models": ["played-1"], "turns": [
  {"expect": {"api": "anthropic", "stream": true, "tools": ["bash", "read", "write", "edit", "list", "search"], "user": "Sort these receipts", "model": "played-1"},
   "answer": {"content": [{"text": ["I look ", "first."]},
                          {"tool": "bash", "arguments": {"command": "cat monday.txt"}}, {"tool": "read", "arguments": {"path": "/workspace/attachments/1/note.txt"}}],
              "usage": {"input": 1000, "output": 20, "cache_read": 50}}},
  {"expect": {"tool_results": [{"tool": "bash", "text": "tea 3.10"}, {"tool": "read", "text": "in a table"}]},
   "answer": {"content": [{"tool": "write", "arguments": {"path": "report.md", "content": "| tea | 3.10 |\n"}}], "usage": {"input": 1100, "output": 30}}},
  {"answer": {"content": [{"text": "The report is in report.md."}], "usage": {"input": 1200, "output": 10}}},

  {"expect": {"user": "add the total", "history": ["The report is in report.md."]},
   "answer": {"content": [{"tool": "bash", "arguments": {"command": "echo '| total | 3.10 |' >> report.md"}}], "usage": {"input": 1, "output": 1}}},
  {"answer": {"content": [{"text": "It is there."}], "usage": {"input": 1, "output": 1}}},

  {"expect": {"user": "count to ten"}, "answer": {"content": [{"text": "one "}, {"hold": "for ever"}, {"text": "two"}]}},

  {"expect": {"user": "survive"}, "answer": {"content": [{"text": "before "}, {"hold": "engine"}]}},
  {"expect": {"user": "survive"}, "answer": {"content": [{"text": "after"}, {"tool": "bash", "arguments": {"command": "echo kept > kept.txt"}}]}},
  {"answer": {"content": [{"text": "kept.txt is there."}]}},

  {"expect": {"user": "outlive your machine"}, "answer": {"content": [{"text": "working "}, {"hold": "machine"}, {"text": "x"}]}},
  {"expect": {"user": "interrupted", "history": ["outlive your machine"]}, "answer": {"content": [{"text": "I went on."}]}},

  {"expect": {"user": "spend"}, "answer": {"content": [{"tool": "bash", "arguments": {"command": "true"}}], "usage": {"input": 5000, "output": 1}}},
  {"answer": {"content": [{"text": "spent."}], "usage": {"input": 1, "output": 1}}},

  {"expect": {"user": "fail"}, "fault": {"status": 400, "message": "the played server will not"}},
  {"expect": {"user": "try again", "history": ["fail"]}, "answer": {"content": [{"text": "better."}]}}
]})json";

} // namespace

class TestTaskApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void fromTheFirstWordToWhatIsApplied();
    void aFollowUpGoesOn();
    void aCancelStopsTheModel();
    void theEngineIsKilledMeanwhile();
    void theMachineIsStoppedMeanwhile();
    void aBudgetEnds();
    void aModelThatRefusesIsSaid();
    void allOfItWasPlayed();

private:
    [[nodiscard]] QJsonObject task(int id) const {
        for (const auto& each : m_world->ask({"task", "list", kAgent}).value("tasks").toArray()) {
            if (each.toObject().value("id").toInt() == id) {
                return each.toObject();
            }
        }
        return {};
    }
    // What is in a task's story, of one kind, as it stands.
    [[nodiscard]] QByteArray said(int id, const QString& kind) const {
        QMap<int, QString> items;
        for (const auto& line : m_world->carrel({"task", "show", kAgent, QString::number(id), "--json"}).out.split('\n')) {
            for (const auto& each : QJsonDocument::fromJson(line).object().value("items").toArray()) {
                const auto item = each.toObject();
                if (item.value("kind") == kind) {
                    items[item.value("item").toInt()] = item.value("text").toString();
                }
            }
        }
        return items.values().join(QString()).toUtf8();
    }
    [[nodiscard]] int given(const QString& text, const QStringList& more = {}) const {
        return m_world->ask(QStringList{"task", kAgent, text, "--detach"} + more).value("task").toObject().value("id").toInt();
    }

    std::unique_ptr<model::ModelServer> m_model;
    std::unique_ptr<ChainWorld> m_world;
};

void TestTaskApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    auto scenario = model::parseScenario(kScenario);
    QVERIFY2(scenario, scenario ? "" : scenario.error().text().c_str());
    auto server = model::ModelServer::start(std::move(*scenario));
    QVERIFY2(server, server ? "" : server.error().text().c_str());
    m_model = std::move(*server);
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    writeFile(m_world->folder() / "papers" / "monday.txt", "tea 3.10\n");
    writeFile(m_world->folder() / "note.txt", "please in a table\n");
    QVERIFY(m_world->ask({"create", kAgent, "--share", m_world->path("papers")}).contains("agent"));
}

void TestTaskApp::cleanupTestCase() {
    if (m_world) {
        QCOMPARE(m_world->end(), QString());
    }
}

void TestTaskApp::fromTheFirstWordToWhatIsApplied() {
    const auto none = m_world->carrel({"task", kAgent, "Sort these receipts", "--attach", m_world->path("note.txt")});
    QVERIFY2(none.status == 1 && none.out.contains("carrel provider add"), none.all()); // no model yet, and how to get one
    QVERIFY(m_world->ask({"provider", "add", "house", "--api", "anthropic", "--url", "http://localhost:" + QString::number(m_model->port()), "--model", "played-1", "--yes"})
                .contains("provider"));
    QVERIFY(m_world->ask({"provider", "use", kAgent, "house", "--yes"}).contains("provider"));
    const auto ran = m_world->carrel({"task", "show", kAgent, "1", "--follow"}); // it went on by itself
    QVERIFY2(ran.status == 0 && ran.out.contains("The report is in report.md."), ran.all());
    QVERIFY2(ran.out.contains("1 change waits for your review"), ran.all());
    const auto usage = task(1).value("usage").toObject();
    QCOMPARE(usage.value("requests").toInt(), 3);
    QCOMPARE(usage.value("input_tokens").toInt(), 3350);
    QCOMPARE(usage.value("output_tokens").toInt(), 60);
    QVERIFY(usage.value("cost") == "0.000000" && !usage.value("estimated").toBool()); // on this computer it costs nothing
    QVERIFY(!std::filesystem::exists(m_world->folder() / "papers" / "report.md"));
    QVERIFY(m_world->carrel({"apply", kAgent, "--yes"}).status == 0);
    QCOMPARE(readFile(m_world->folder() / "papers" / "report.md"), std::string("| tea | 3.10 |\n"));
    // What happened is in the log, and who says so: the tools are the agent's word.
    int tools = 0;
    for (const auto& event : m_world->timeline()) {
        if (event.value("kind") == "agent.tool") {
            QCOMPARE(event.value("provenance").toString(), QString("guest"));
            ++tools;
        }
    }
    QCOMPARE(tools, 3);
}

void TestTaskApp::aFollowUpGoesOn() {
    const auto ran = m_world->carrel({"task", "say", kAgent, "add the total"});
    QVERIFY2(ran.status == 0 && ran.out.contains("It is there.") && !ran.out.contains("I look first."), ran.all());
    QCOMPARE(task(1).value("turns").toInt(), 2);
    QVERIFY(m_world->carrel({"apply", kAgent, "--yes"}).status == 0);
    QCOMPARE(readFile(m_world->folder() / "papers" / "report.md"), std::string("| tea | 3.10 |\n| total | 3.10 |\n"));
}

void TestTaskApp::aCancelStopsTheModel() {
    const auto id = given("count to ten");
    QVERIFY(m_model->waitUntilHeld("for ever"));
    QTRY_VERIFY_WITH_TIMEOUT(said(id, "text") == "one ", kGuardMs);
    QVERIFY(m_world->carrel({"task", "cancel", kAgent}).status == 0);
    const auto ran = m_world->carrel({"task", "show", kAgent, "--follow"});
    QVERIFY2(ran.status == 1 && ran.out.contains("cancelled"), ran.all());
    QVERIFY(m_model->waitForDeliveries(6)); // it hung up
    QVERIFY(m_model->requests().back().delivery == model::Delivery::ClientLeft);
}

void TestTaskApp::theEngineIsKilledMeanwhile() {
    const auto id = given("survive");
    QVERIFY(m_model->waitUntilHeld("engine"));
    QTRY_VERIFY_WITH_TIMEOUT(said(id, "text") == "before ", kGuardMs);
    const auto engine = m_world->enginePid();
    QVERIFY(engine > 0 && killHard(engine));
    // With it the connection to the model went, which the agent asks again as soon as somebody is at the door: another engine.
    const auto ran = m_world->carrel({"task", "show", kAgent, QString::number(id), "--follow"});
    QVERIFY2(ran.status == 0 && ran.out.contains("kept.txt is there."), ran.all());
    QVERIFY(m_world->enginePid() > 0 && m_world->enginePid() != engine);
    QVERIFY2(said(id, "text").startsWith("before ") && said(id, "text").count("after") == 1, said(id, "text"));
    QCOMPARE(task(id).value("turns").toInt(), 1); // it went on in its machine
    QVERIFY(m_world->staged().contains("papers/kept.txt"));
}

void TestTaskApp::theMachineIsStoppedMeanwhile() {
    const auto id = given("outlive your machine");
    QVERIFY(m_model->waitUntilHeld("machine"));
    QVERIFY(m_world->carrel({"stop", kAgent}).status == 0);
    QTRY_COMPARE_WITH_TIMEOUT(task(id).value("state").toString(), QString("waiting"), kGuardMs);
    QCOMPARE(task(id).value("waits_for").toObject().value("kind").toString(), QString("machine"));
    m_model->release("machine");
    QVERIFY(m_world->carrel({"start", kAgent}).status == 0);
    const auto ran = m_world->carrel({"task", "show", kAgent, QString::number(id), "--follow"});
    QVERIFY2(ran.status == 0 && ran.out.contains("I went on."), ran.all());
}

void TestTaskApp::aBudgetEnds() {
    const auto id = given("spend", {"--tokens", "1000"});
    QTRY_COMPARE_WITH_TIMEOUT(task(id).value("state").toString(), QString("waiting"), kGuardMs);
    const auto waits = task(id).value("waits_for").toObject();
    QVERIFY2(waits.value("kind") == "budget" && waits.value("text").toString().contains("1,000"), qPrintable(waits.value("text").toString()));
    QVERIFY(m_world->carrel({"task", "answer", kAgent, QString::number(id), "--go-on"}).status == 0);
    const auto ran = m_world->carrel({"task", "show", kAgent, QString::number(id), "--follow"});
    QVERIFY2(ran.status == 0 && ran.out.contains("spent."), ran.all());
}

void TestTaskApp::aModelThatRefusesIsSaid() {
    const auto ran = m_world->carrel({"task", kAgent, "fail"});
    QVERIFY2(ran.status == 1 && ran.out.contains("the played server will not"), ran.all());
    const auto again = m_world->carrel({"task", "say", kAgent, "try again"}); // the conversation is kept
    QVERIFY2(again.status == 0 && again.out.contains("better."), again.all());
}

void TestTaskApp::allOfItWasPlayed() {
    for (const auto& failure : m_model->failures()) {
        qWarning("%s", failure.c_str());
    }
    QVERIFY(m_model->failures().empty());
}

QTEST_GUILESS_MAIN(TestTaskApp)
#include "test_task_app.moc"
