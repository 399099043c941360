// SPDX-License-Identifier: Apache-2.0
// carrel pause and carrel resume against a scripted engine.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliPause : public QObject, private CliTest {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() { beginEngine(); }
    void cleanup() { endEngine(); }

    void asksAndShows() {
        checkVerb({"pause", "clerk"}, "agent.pause", R"({"agent":"clerk"})", "Agent clerk is paused.\n");
        checkVerb({"resume", "clerk"}, "agent.resume", R"({"agent":"clerk"})", "Agent clerk goes on.\n");
        checkVerb({"resume", "--all"}, "agent.resume_all", "{}", "Agent clerk goes on.\n");
    }

    // One that could not be paused is a failure of the whole, and is named; the others are told all the same.
    void oneOfAllFails() {
        const auto ran = run({"pause", "--all"});
        QCOMPARE(ran.status, 1);
        QCOMPARE(ran.out, QByteArray("Agent clerk is paused.\n"
                                     "Agent lab: The agent lab could not be paused, and may run on: the machine does not pause. "
                                     "End it with: carrel stop lab\n"));
        QCOMPARE(ran.err, QByteArray("carrel: 1 agent could not be paused, and may run on.\n"));
        QCOMPARE(asked(), QStringList{"agent.pause_all"});
        const auto machine = run({"pause", "--all", "--json"});
        QCOMPARE(machine.status, 1);
        QVERIFY(json::parse(machine.out.toStdString()) == json::value(example("agent.pause_all")));
    }

    void saysWhatBecameOfIt_data() {
        QTest::addColumn<QString>("verb");
        QTest::addColumn<QString>("outcome");
        QTest::addColumn<QString>("state");
        QTest::addColumn<QByteArray>("shown");
        const auto row = [](const char* verb, const char* outcome, const char* state, const char* shown) {
            QTest::addRow("%s %s %s", verb, outcome, state) << verb << outcome << state << QByteArray(shown);
        };
        row("pause", "not-running", "stopped", "Agent clerk did not run.\n");
        row("pause", "already-paused", "paused", "Agent clerk was paused already.\n");
        row("resume", "not-paused", "ready", "Agent clerk is not paused.\n");
        row("resume", "resumed", "starting", "Agent clerk goes on, and is starting.\n");
        row("resume", "resumed", "failed",
            "Agent clerk goes on, but its machine has not answered yet.\n  it is silent \\x1b[2J\n");
    }
    void saysWhatBecameOfIt() {
        QFETCH(QString, verb);
        QFETCH(QString, outcome);
        QFETCH(QString, state);
        QFETCH(QByteArray, shown);
        const auto method = "agent." + verb.toStdString();
        auto result = example(method);
        auto& agent = result["agent"].as_object();
        result["outcome"] = outcome.toStdString();
        agent["state"] = state.toStdString();
        if (state == "failed") {
            agent["reason"] = "it is silent \x1b[2J";
        }
        m_engine->setAnswer(method, result);
        const auto ran = run({verb, "clerk"});
        QCOMPARE(ran.out, shown);
        QCOMPARE(ran.status, 0);
    }

    void nothingToDo() {
        for (const auto& [verb, outcome, words] : {std::tuple("pause", "not-running", "No agent runs.\n"),
                                                   std::tuple("resume", "not-paused", "No agent is paused.\n")}) {
            const json::object idle{{"name", "clerk"}, {"outcome", outcome}, {"state", "stopped"}};
            m_engine->setAnswer(std::string("agent.") + verb + "_all", json::value{{"agents", json::array{idle}}});
            const auto ran = run({verb, "--all"});
            QCOMPARE(ran.out, QByteArray(words));
            QCOMPARE(ran.status, 0);
        }
    }

    // Never one agent more, or less, than was said.
    void eitherOneOrAll() {
        for (const QStringList& words : {QStringList{"pause"}, QStringList{"pause", "clerk", "--all"}, QStringList{"resume"},
                                         QStringList{"resume", "--all", "clerk"}, QStringList{"pause", ""}}) {
            const auto ran = run(words);
            QCOMPARE(ran.status, 2);
            QCOMPARE(ran.err.count('\n'), 1);
        }
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliPause)
#include "test_cli_pause.moc"
