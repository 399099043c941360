// SPDX-License-Identifier: Apache-2.0
// A conversation outlives the program that had it, whichever way that ended.
#include "tests/guest/agent/program/agent_rig.h"

#include <filesystem>

using namespace carrel;
using namespace carrel::agent::test;
using Lines = std::vector<std::string>;

class TestLoading : public QObject {
    Q_OBJECT
private slots:
    void goesOnAfterAKill_data() {
        QTest::addColumn<QByteArray>("api");
        QTest::newRow("anthropic") << QByteArray("anthropic");
        QTest::newRow("openai") << QByteArray("openai");
    }
    void goesOnAfterAKill() {
        QFETCH(QByteArray, api);
        AgentRig rig(api.toStdString(),
                     q("{'answer':{'content':[{'text':'I begin.'}," + calling("c0", "plan", "{'entries':[{'content':'one','status':'pending'}]}") + "," + calling("c1", "bash", "{'command':'touch begun; exec sleep 1000'}") +
                       "]}},{'expect':{'user':'go on','history':['make it','I begin.'],'tool_results':[{'tool':'bash','text':'machine was stopped while this ran','error':true}]},'answer':{'content':[{'text':'Looked.'}]}}"));
        rig.begin();
        QVERIFY(rig.run->peer().call("session/prompt", rig.promptParams("make it"), [](Outcome) {}));
        while (!std::filesystem::exists(rig.work() + "/begun")) {
            rig.waitForUpdate("tool_call");
            std::this_thread::yield();
        }
        rig.run->kill();
        rig.restart();
        const auto loaded = rig.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()}));
        QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
        QVERIFY(acp::sessionStateFrom(*loaded)->mode == "work");
        QVERIFY(rig.shown() == (Lines{"user_message: make it", "agent_message: I begin.", "tool_call c1 failed touch begun; exec sleep 1000", "plan of 1"}));
        QCOMPARE(rig.words(rig.prompt("go on")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
    }

    void showsAllAgain() {
        AgentRig rig("anthropic", q("{'answer':{'content':[{'text':'A.'}," + calling("c1", "bash", "{'command':'echo out'}") + "]}},{'answer':{'content':[{'text':'B.'}]}},{'answer':{'content':[{'text':'C.'}]}}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("one")), std::string("end_turn"));
        QCOMPARE(rig.words(rig.prompt("two")), std::string("end_turn"));
        const Lines all{"user_message: one", "agent_message: A.", "tool_call c1 completed echo out", "agent_message: B.", "user_message: two", "agent_message: C."};
        rig.restart();
        QVERIFY(rig.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()})));
        QVERIFY(rig.shown() == all);
        QVERIFY(textOf(rig.updateOf("tool_call", "c1").at("content").at(0).at("content").at("text")).starts_with("out\n"));
        // And by the same program: a client may have lost what it had.
        rig.run->notes.notifications.clear();
        QVERIFY(rig.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()})));
        QVERIFY(rig.shown() == all);
    }

    void isOnesAlone() {
        AgentRig rig("anthropic", saying("{'text':'x'}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("one")), std::string("end_turn"));
        AgentRig other("anthropic", saying("{'text':'x'}"), {"CARREL_AGENT_HOME=" + rig.home()});
        const auto refused = other.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()}));
        QVERIFY(!refused && refused.error().message.find("the conversation cannot be opened") != std::string::npos);
        QCOMPARE(other.run->ask("session/prompt", rig.promptParams("x")).error().code, std::int64_t(-32002)); // it is not open
        (void)rig.run->end();
        QVERIFY(other.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()})));
    }

    void isClosedToOthers() {
        AgentRig rig("anthropic", saying("{'text':'x'}"));
        rig.begin();
        namespace fs = std::filesystem;
        const fs::path folder = rig.home() + "/sessions";
        const fs::path file = folder / (rig.session + ".jsonl");
        QVERIFY((fs::status(folder).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
        QVERIFY((fs::status(file).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
    }

    void aBrokenFileIsSaidToBe() {
        AgentRig rig("anthropic", saying("{'text':'x'}"));
        rig.begin();
        (void)rig.run->end();
        const auto path = rig.home() + "/sessions/" + rig.session + ".jsonl";
        std::ofstream(path, std::ios::app) << "{nonsense}\n{\"add\":{}}\n";
        rig.restart();
        const auto loaded = rig.run->ask("session/load", acp::toJson(acp::SessionPlace{rig.session, rig.work()}));
        QVERIFY(!loaded && loaded.error().message.find("the conversation cannot be opened") != std::string::npos);
        QVERIFY(std::filesystem::file_size(path) > 20); // nothing was thrown away
    }
};

QTEST_GUILESS_MAIN(TestLoading)
#include "test_loading.moc"
