// SPDX-License-Identifier: Apache-2.0
// What the user is asked: questions of the model's, and in the mode that asks what may change something.
#include "tests/guest/agent/program/agent_rig.h"

using namespace carrel;
using namespace carrel::agent::test;

class TestAsking : public QObject {
    Q_OBJECT

    // The client answers each request for permission with the next of these; an empty one: it was cancelled.
    static void plays(AgentRig& rig, std::vector<std::string> options, std::vector<acp::Permission>& asked) {
        rig.run->notes.onRequest = [&rig, &asked, options = std::move(options)](acp::Request request) {
            auto permission = acp::permissionFrom(request.params);
            QVERIFY(request.method == "session/request_permission" && permission);
            const auto& option = options.at(asked.size());
            asked.push_back(std::move(*permission));
            auto result = acp::permissionResult(option.empty() ? std::nullopt : std::optional(option));
            if (option == "later, and words") {
                result = acp::permissionResult("later");
                acp::putMeta(result, acp::kMetaText, "neither, but green");
            }
            rig.run->peer().answer(request.id, result);
        };
    }

private slots:
    void changesOnlyWhatIsAllowed() {
        AgentRig rig("anthropic",
                     q("{'answer':{'content':[" + calling("c1", "bash", "{'command':'touch one'}") + "]}},{'expect':{'tool_results':[{'tool':'bash','text':'did not allow','error':true}]},'answer':{'content':[" +
                       calling("c2", "bash", "{'command':'touch two'}") + "]}},{'answer':{'content':[" + calling("c3", "write", "{'path':'three','content':'3'}") + "]}},{'answer':{'content':[" +
                       calling("c4", "write", "{'path':'four','content':'4'}") + "," + calling("c5", "list", "{'path':'.'}") + "]}},{'answer':{'content':[{'text':'x'}]}}"));
        rig.begin();
        std::vector<acp::Permission> asked;
        plays(rig, {"no", "once", "always"}, asked);
        QVERIFY(rig.run->ask("session/set_mode", acp::modeParams(rig.session, "ask")));
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
        QCOMPARE(asked.size(), std::size_t(3)); // the fourth was allowed with the third, and nobody is asked about looking
        QCOMPARE(textOf(asked[0].toolCall.at("toolCallId")), std::string("c1"));
        QVERIFY(asked[0].toolCall.at("kind") == "execute" && asked[0].toolCall.at("title") == "touch one");
        QVERIFY(*asked[0].options.at(0).kind == acp::OptionKind::AllowOnce);
        QVERIFY(rig.run->ask("session/set_mode", acp::modeParams(rig.session, "work")));
        QDir work(QString::fromStdString(rig.work()));
        QVERIFY(!work.exists("one") && work.exists("two") && work.exists("three") && work.exists("four"));
    }

    void asksNobodyAtFirst() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "bash", "{'command':'touch one'}") + "]}},") + saying("{'text':'x'}"));
        rig.begin();
        std::vector<acp::Permission> asked;
        plays(rig, {}, asked);
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QVERIFY(asked.empty());
    }

    void theModeMayBeSetBefore() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "bash", "{'command':'touch one'}") + "]}},") + saying("{'text':'x'}"), {"CARREL_AGENT_MODE=ask"});
        rig.begin();
        std::vector<acp::Permission> asked;
        plays(rig, {""}, asked);
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QCOMPARE(asked.size(), std::size_t(1));
        QVERIFY(rig.get("one").empty() && !QFile::exists(QString::fromStdString(rig.work() + "/one")));
    }

    void questions_data() {
        QTest::addColumn<QByteArray>("option");
        QTest::addColumn<QByteArray>("result");
        QTest::addColumn<bool>("isError");
        QTest::newRow("a choice") << QByteArray("choice-1") << QByteArray("blue") << false;
        QTest::newRow("own words") << QByteArray("later, and words") << QByteArray("neither, but green") << false;
        QTest::newRow("later") << QByteArray("later") << QByteArray("will answer with the next message") << true;
        QTest::newRow("cancelled") << QByteArray("") << QByteArray("taken back") << true;
    }
    void questions() {
        QFETCH(QByteArray, option);
        QFETCH(QByteArray, result);
        QFETCH(bool, isError);
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "ask", "{'question':'Which colour?','choices':['red','blue']}") + "]}},{'expect':{'tool_results':[{'tool':'ask','text':'" +
                                    result.toStdString() + "','error':" + (isError ? "true" : "false") + "}]},'answer':{'content':[{'text':'x'}]}}"));
        rig.begin();
        std::vector<acp::Permission> asked;
        plays(rig, {option.toStdString()}, asked);
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
        QVERIFY(asked.at(0).toolCall.at("title") == "Which colour?");
        QVERIFY(acp::metaOf(asked[0].toolCall, acp::kMetaQuestion) != nullptr);
        QCOMPARE(asked[0].options.size(), std::size_t(3));
        QCOMPARE(asked[0].options[1].name, std::string("blue"));
    }

    void aClientThatCannotAskIsNoEnd() {
        AgentRig rig("openai", q("{'answer':{'content':[" + calling("c1", "ask", "{'question':'Well?'}") + "]}},{'expect':{'history':['the user cannot be asked: no']},'answer':{'content':[{'text':'x'}]}}"));
        rig.begin();
        rig.run->notes.onRequest = [&](acp::Request request) { rig.run->peer().answer(request.id, tl::unexpected<acp::Problem>({-32601, "no", nullptr})); };
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
    }

    void stoppingEndsAQuestion() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "ask", "{'question':'Well?'}") + "]}}"));
        rig.begin();
        rig.run->notes.onRequest = [&](acp::Request) { QVERIFY(rig.run->peer().notify("session/cancel", acp::cancelParams(rig.session))); };
        QCOMPARE(rig.words(rig.prompt("go")), std::string("cancelled"));
    }
};

QTEST_GUILESS_MAIN(TestAsking)
#include "test_asking.moc"
