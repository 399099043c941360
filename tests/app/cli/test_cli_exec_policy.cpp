// SPDX-License-Identifier: Apache-2.0
// Which programs run in an agent's machine, on the command line.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

namespace {

const QString kContent = QString(64, 'a');

} // namespace

class TestCliExecPolicy : public QObject, protected CliTest {
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

    void verbsAskAndShow() {
        const QString digits = kContent;
        checkVerb({"policy", "exec", "show", "clerk"}, "programs.show", R"({"agent":"clerk"})",
                  "In the machine of agent clerk everything runs but what is denied (mode deny).\n");
        checkVerb({"policy", "exec", "set", "clerk", "allow", "--unknown", "refuse"}, "programs.set",
                  R"({"agent":"clerk","mode":"allow","unknown":"refuse"})", "only what the image brought and what is allowed runs");
        checkVerb({"policy", "exec", "set", "clerk", "--unknown", "ask"}, "programs.set", R"({"agent":"clerk","unknown":"ask"})", "clerk");
        checkVerb({"policy", "exec", "deny", "clerk", digits, "--note", "a miner"}, "programs.deny",
                  (R"({"agent":"clerk","sha256":")" + digits + R"(","note":"a miner"})").toUtf8().constData(), "Denied:");
        checkVerb({"policy", "exec", "allow", "clerk", digits, "--everywhere"}, "programs.allow",
                  (R"({"agent":"clerk","sha256":")" + digits + R"(","everywhere":true})").toUtf8().constData(), "clerk");
        checkVerb({"policy", "exec", "allow", "clerk", digits, "--code"}, "programs.allow",
                  (R"({"agent":"clerk","sha256":")" + digits + R"(","code":true})").toUtf8().constData(), "clerk");
        checkVerb({"policy", "exec", "remove", "clerk", digits}, "programs.remove",
                  (R"({"agent":"clerk","sha256":")" + digits + R"("})").toUtf8().constData(), "clerk");
    }
    void whatIsWrongIsSaid() {
        QVERIFY(run({"policy", "exec", "set", "clerk"}).status == 1);
        QVERIFY(run({"policy", "exec", "set", "clerk", "off"}).status == 2);
        QVERIFY(run({"policy", "exec", "deny", "clerk"}).status == 2);
        QVERIFY(run({"policy", "exec", "deny", "clerk", kContent, "--code"}).status == 2);
        QVERIFY(run({"policy"}).status == 2);
    }
    void whoOnlyObservesAndWhoseImageHasNoListIsTold() {
        json::value answer{{"agent", "clerk"}, {"mode", "observe"}, {"unknown", "ask"}, {"in_force", false}, {"image_programs", nullptr},
                           {"deny", json::array{{{"sha256", nullptr}, {"note", "all\x1b[2J"}, {"rule", 3}, {"scope", "everywhere"}}}}, 
                           {"allow", json::array{{{"sha256", kContent.toStdString()}, {"note", "node"}, {"rule", 4}, {"scope", "agent"}, {"code", true}}}}};
        m_engine->setAnswer("programs.show", answer);
        const auto out = run({"policy", "exec", "show", "clerk"}).out;
        QVERIFY2(out.startsWith("In the machine of agent clerk everything runs (mode observe).\n"), out);
        QVERIFY2(out.contains("has no list of its programs"), out);
        QVERIFY2(out.contains("every program  for every agent (rule 3): all"), out);
        QVERIFY2(!out.contains('\x1b'), out);
        QVERIFY2(out.contains("for this agent, and makes code (rule 4): node"), out);
        QVERIFY2(out.contains("does not run, or has not been told all of it yet"), out);
    }
};

QTEST_GUILESS_MAIN(TestCliExecPolicy)
#include "test_cli_exec_policy.moc"
