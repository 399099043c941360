// SPDX-License-Identifier: Apache-2.0
// Agent programs on the command line: what there is, and that nothing is installed before it was shown.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliPrograms : public QObject, protected CliTest {
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

    void whatThereIs() {
        checkVerb({"task", "programs"}, "task.programs", "{}", "carrel    Carrel's own agent  anthropic, openai  in every machine");
        checkVerb({"task", "programs", "clerk"}, "task.programs", R"({"agent":"clerk"})", "Install one: carrel task install");
    }
    void itIsShownFirst() {
        const auto ran = run({"task", "install", "clerk", "opencode"});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.err.contains("OpenCode 1.0.0 is installed in the machine of clerk, below /opt/agents/opencode") && ran.err.contains("\n  opencode 1.0.0\n") &&
                     ran.err.contains("set -eu") && ran.err.contains("no terminal to ask on"),
                 ran.err);
        QCOMPARE(asked(), QStringList{"task.programs"});
        const auto none = run({"task", "install", "clerk", "nobody", "--yes"});
        QVERIFY2(none.status == 1 && none.err.contains("There are: carrel, opencode"), none.err);
    }
    // What the machine says goes through as that of any command.
    void whatItSaysIsShown() {
        const auto ran = run({"task", "install", "clerk", "opencode", "--yes"});
        QVERIFY2(ran.status == 7 && ran.out == "to out\n" && ran.err == "to err\n", ran.out + ran.err);
        QCOMPARE(asked().last(), QString("task.install"));
        const auto machine = run({"task", "install", "clerk", "opencode", "--yes", "--json"});
        QCOMPARE(machine.status, 7); // that of the installation
        const auto answer = json::parse(machine.out.toStdString());
        QVERIFY(answer.at("program").as_string() == "opencode");
        m_engine->setAnswer("task.install", fail(ErrorCode::Refused, "OpenCode is fetched from the network", "Let it reach the package registries"));
        const auto refused = run({"task", "install", "clerk", "opencode", "--yes"});
        QVERIFY2(refused.status == 1 && refused.err.contains("Let it reach"), refused.err);
    }
};

QTEST_GUILESS_MAIN(TestCliPrograms)
#include "test_cli_programs.moc"
