// SPDX-License-Identifier: Apache-2.0
// A task from its prompt to its end, as a client sees it, by both interfaces of models.
#include "tests/guest/agent/program/agent_rig.h"

using namespace carrel;
using namespace carrel::agent::test;
using Lines = std::vector<std::string>;

class TestConversation : public QObject {
    Q_OBJECT

    static void apis() {
        QTest::addColumn<QByteArray>("api");
        QTest::newRow("anthropic") << QByteArray("anthropic");
        QTest::newRow("openai") << QByteArray("openai");
    }
    static std::string api() {
        QFETCH(QByteArray, api);
        return api.toStdString();
    }

private slots:
    void saysWhatItCan() {
        AgentRig rig("anthropic", saying("{'text':'x'}"));
        const auto answer = acp::initializeResultFrom(*rig.run->ask("initialize", {{"protocolVersion", 7}}));
        QCOMPARE(answer->version, std::int64_t(1));
        QVERIFY(answer->loadSession && answer->embeddedContext && !answer->image && answer->authMethods.empty());
        QCOMPARE(answer->agent.name, std::string("carrel-agent"));
        QVERIFY(rig.run->ask("authenticate", {{"methodId", "x"}}));
        QCOMPARE(rig.run->ask("session/list", {}).error().code, std::int64_t(-32601));
        QCOMPARE(rig.run->ask("_x/y", {}).error().code, std::int64_t(-32601));
        QCOMPARE(rig.run->ask("initialize", {}).error().code, std::int64_t(-32602));
    }

    void worksWithTools_data() { apis(); }
    void worksWithTools() {
        AgentRig rig(api(), q("{'expect':{'user':'make it','tools':['bash','read','write','edit','list','search','ask','plan','fetch'],'system':'/workspace','stream':true},'answer':{'content':["
                              "{'text':['I ','look.']},") +
                                q(calling("c1", "write", "{'path':'a.txt','content':'one\\n'}") + "," + calling("c2", "bash", "{'command':'echo two; pwd'}") + "," +
                                  calling("c3", "plan", "{'entries':[{'content':'look','status':'completed'},{'content':'write','status':'pending'}]}")) +
                                q("],'usage':{'input':11,'output':5}}},{'expect':{'tool_results':[{'tool':'write','text':'a new file','error':false},{'tool':'bash','text':'two'},{'tool':'plan','text':'1 of 2'}]},"
                                  "'answer':{'content':[{'text':'Done.'}],'usage':{'input':20,'output':7}}}"));
        rig.begin();
        const auto outcome = rig.prompt("make it");
        QCOMPARE(rig.words(outcome), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
        QCOMPARE(rig.get("a.txt"), std::string("one\n"));
        const auto shown = rig.shown();
        QCOMPARE(shown.front(), std::string("agent_message: I look."));
        QCOMPARE(shown.back(), std::string("agent_message: Done."));
        for (const char* each : {"tool_call c1 in_progress Write a.txt", "tool_call c2 in_progress echo two; pwd", "tool_call_update c1 completed",
                                 "tool_call_update c2 completed", "plan of 2"}) {
            QVERIFY2(std::count(shown.begin(), shown.end(), each) == 1, each);
        }
        QCOMPARE(shown.size(), std::size_t(7));
        const auto begun = rig.updateOf("tool_call", "c1");
        QVERIFY(begun.at("kind") == "edit" && textOf(begun.at("locations").at(0).at("path")) == rig.work() + "/a.txt");
        QVERIFY(begun.at("rawInput").at("content") == "one\n");
        const auto diff = rig.updateOf("tool_call_update", "c1").at("content").at(0).as_object();
        QVERIFY(diff.at("type") == "diff" && diff.at("oldText").is_null() && diff.at("newText") == "one\n");
        const auto output = textOf(rig.updateOf("tool_call_update", "c2").at("content").at(0).at("content").at("text"));
        QVERIFY2(output.starts_with("two\n" + rig.work() + "\n"), output.c_str());
        const auto* used = acp::metaOf(outcome->as_object(), acp::kMetaUsage);
        QVERIFY(used != nullptr && used->at("input").to_number<int>() == 31 && used->at("output").to_number<int>() == 12);
    }

    void changesAreShownAsTheyAre() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "write", "{'path':'a','content':'one two'}") + "]}},{'answer':{'content':[" +
                                    calling("c2", "edit", "{'path':'a','old':'two','new':'three'}") + "]}},{'answer':{'content':[" +
                                    calling("c3", "write", "{'path':'a','content':'four'}") + "]}},") + saying("{'text':'x'}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        const auto edit = rig.updateOf("tool_call_update", "c2").at("content").at(0).as_object();
        QVERIFY(edit.at("oldText") == "one two" && edit.at("newText") == "one three");
        const auto write = rig.updateOf("tool_call_update", "c3").at("content").at(0).as_object();
        QVERIFY(write.at("oldText") == "one three" && write.at("newText") == "four");
    }

    void goesOnWhenAsked_data() { apis(); }
    void goesOnWhenAsked() {
        AgentRig rig(api(), saying("{'text':'first'}") + q(",{'expect':{'user':'and now?','history':['begin','first']},'answer':{'content':[{'text':'second'}]}}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("begin")), std::string("end_turn"));
        QCOMPARE(rig.words(rig.prompt("and now?")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
    }

    void whatIsAttachedIsText() {
        AgentRig rig("openai", q("{'expect':{'history':['look: ','[The user attached: /w/a b.pdf, 5 bytes]','The user attached /w/n.txt','inner words']},'answer':{'content':[{'text':'x'}]}}"));
        rig.begin();
        const acp::Prompt prompt{rig.session, {acp::TextBlock{"look: "}, acp::LinkBlock{"file:///w/a%20b.pdf", "a b.pdf", "", 5}, acp::ResourceBlock{"file:///w/n.txt", "", "inner words"}}};
        QCOMPARE(rig.words(rig.run->ask("session/prompt", acp::toJson(prompt))), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
        const auto image = rig.run->ask("session/prompt", acp::toJson(acp::Prompt{rig.session, {acp::OtherBlock{"image"}}}));
        QCOMPARE(image.error().code, std::int64_t(-32602));
    }

    void canBeStoppedWhileTheModelSpeaks_data() { apis(); }
    void canBeStoppedWhileTheModelSpeaks() {
        AgentRig rig(api(), saying("{'text':['half ',{'hold':'never'},'rest']}") + q(",{'expect':{'history':['half']},'answer':{'content':[{'text':'again'}]}}"));
        rig.begin();
        std::jthread stopper([&] {
            rig.waitForUpdate("agent_message_chunk");
            QVERIFY(rig.run->peer().notify("session/cancel", acp::cancelParams(rig.session)));
        });
        QCOMPARE(rig.words(rig.prompt("go")), std::string("cancelled"));
        QVERIFY(rig.server->waitForDeliveries(1));
        QVERIFY(rig.server->requests()[0].delivery == carrel::test::model::Delivery::ClientLeft);
        QCOMPARE(rig.words(rig.prompt("again")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
    }

    void canBeStoppedWhileToolsRun() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "bash", "{'command':'touch begun; sleep 1000'}") + "," + calling("c2", "bash", "{'command':'sleep 1000'}") +
                                    "]}},{'expect':{'tool_results':[{'tool':'bash','text':'stopped','error':true}]},'answer':{'content':[{'text':'well'}]}}"));
        rig.begin();
        std::jthread stopper([&] {
            rig.waitForUpdate("tool_call");
            // By the request's own name, as some clients do.
            QVERIFY(rig.run->peer().notify("$/cancel_request", {{"requestId", 3}}));
        });
        QCOMPARE(rig.words(rig.prompt("go")), std::string("cancelled"));
        const auto shown = rig.shown();
        QVERIFY(std::count(shown.begin(), shown.end(), "tool_call_update c1 failed") == 1);
        QVERIFY(std::count(shown.begin(), shown.end(), "tool_call_update c2 failed") == 1);
        QCOMPARE(rig.words(rig.prompt("go on")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
    }

    void onePromptAtATime() {
        AgentRig rig("anthropic", saying("{'text':['a',{'hold':'h'}]}"));
        rig.begin();
        std::optional<Outcome> second;
        std::jthread other([&] {
            rig.waitForUpdate("agent_message_chunk");
            second = rig.prompt("more");
            rig.server->release("h");
        });
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        other.join();
        QCOMPARE(rig.words(*second), std::string("error -32600 the last prompt is not over — wait for its end, or cancel it"));
    }

    void manyUpdatesComeInTheirOrder() {
        std::string pieces;
        for (int i = 0; i < 10'000; ++i) {
            pieces += (i == 0 ? "'" : ",'") + std::to_string(i) + " '";
        }
        AgentRig rig("anthropic", saying("{'text':[" + pieces + "]}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("count")), std::string("end_turn"));
        QVERIFY(rig.run->notes.notifications.size() > 10'000);
        std::string all = "agent_message: ";
        for (int i = 0; i < 10'000; ++i) {
            all += std::to_string(i) + " ";
        }
        QVERIFY(rig.shown() == Lines{all});
    }

    void endsWithItsClient() {
        AgentRig rig("anthropic", saying("{'hold':'never'}"));
        rig.begin();
        QVERIFY(rig.run->peer().call("session/prompt", rig.promptParams("go"), [](Outcome) {}));
        QVERIFY(rig.server->waitUntilHeld("never"));
        const int status = rig.run->end();
        QVERIFY(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    void theLimitOfAnAnswerIsSaid() {
        AgentRig rig("openai", q("{'answer':{'content':[{'text':'and so'}],'stop':'length'}},{'answer':{'content':[{'text':'no'}],'stop':'refusal'}}"));
        rig.begin();
        const auto outcome = rig.prompt("go");
        QCOMPARE(rig.words(outcome), std::string("max_tokens"));
        const auto* why = acp::metaOf(outcome->as_object(), acp::kMetaWhy);
        QVERIFY(why != nullptr && textOf(why->at("hint")).find("go on") != std::string::npos);
        QVERIFY(rig.shown().back().starts_with("agent_thought: the model's answer was longer"));
        QCOMPARE(rig.words(rig.prompt("go on")), std::string("refusal"));
    }
};

QTEST_GUILESS_MAIN(TestConversation)
#include "test_conversation.moc"
