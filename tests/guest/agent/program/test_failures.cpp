// SPDX-License-Identifier: Apache-2.0
// A model that fails in each way that it can: the user hears why and what to do, and the conversation goes on afterwards.
#include "tests/guest/agent/program/agent_rig.h"

using namespace carrel;
using namespace carrel::agent::test;

class TestFailures : public QObject {
    Q_OBJECT

    static const char* again() { return ",{'expect':{'history':['go','once more']},'answer':{'content':[{'text':'now'}]}}"; }

private slots:
    void fails_data() {
        QTest::addColumn<QByteArray>("turns");
        QTest::addColumn<QByteArray>("message");
        QTest::addColumn<QByteArray>("hint");
        const auto row = [](const char* name, const char* turns, const char* message, const char* hint) {
            QTest::newRow(name) << QByteArray(turns) << QByteArray(message) << QByteArray(hint);
        };
        row("an expired key", "{'fault':{'status':401,'message':'expired'}}", "does not accept the key (HTTP 401", "credential");
        row("no money", "{'fault':{'status':402,'message':'pay'}}", "wants money first", "balance");
        row("an unknown model", "{'fault':{'status':404}}", "does not know this model or address", "name");
        row("malformed JSON", "{'repeat':2,'answer':{'content':[{'data':'{nonsense'}]}}", "", "");
        row("an empty turn", "{'repeat':2,'answer':{'content':[]}}", "without a word", "");
        row("a page of a proxy", "{'repeat':2,'fault':{'status':200,'body':'<html>log in</html>'}}", "does not stream its answer", "address");
        row("too many requests for long", "{'fault':{'status':429,'retry_after':'3600'}}", "asks for fewer requests", "wait");
    }
    void fails() {
        QFETCH(QByteArray, turns);
        QFETCH(QByteArray, message);
        QFETCH(QByteArray, hint);
        for (const char* api : {"anthropic", "openai"}) {
            AgentRig rig(api, q(turns.toStdString() + again()));
            rig.begin();
            const auto outcome = rig.prompt("go");
            QVERIFY2(!outcome, api);
            QCOMPARE(outcome.error().code, std::int64_t(-32603));
            const auto words = rig.words(outcome);
            QVERIFY2(words.find(message.toStdString()) != std::string::npos && words.find(hint.toStdString()) != std::string::npos, words.c_str());
            QVERIFY2(outcome.error().data.as_object().contains("hint"), words.c_str());
            QCOMPARE(rig.words(rig.prompt("once more")), std::string("end_turn"));
            QCOMPARE(rig.failures(), QByteArray());
        }
    }

    void aWrongKeyIsSaidToBeWrong() {
        AgentRig rig("anthropic", q("{'refused':401}"), {"CARREL_MODEL_KEY=another"});
        rig.begin();
        const auto words = rig.words(rig.prompt("go"));
        QVERIFY2(words.find("does not accept the key") != std::string::npos, words.c_str());
        QCOMPARE(rig.failures(), QByteArray());
    }

    void triesAgainAndSaysSo() {
        AgentRig rig("openai", q("{'repeat':2,'fault':{'status':429,'retry_after':'0'}},{'answer':{'content':[{'text':'half of it'}],'cut_after':200}},") + saying("{'text':'whole'}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        const auto shown = rig.shown();
        QVERIFY(shown.size() >= 4);
        QVERIFY2(shown[0].starts_with("agent_thought: the model's provider asks for fewer requests") && shown[0].find("Trying again") != std::string::npos, shown[0].c_str());
        QCOMPARE(shown.back(), std::string("agent_message: whole"));
        bool isMarked = false;
        for (const auto& each : rig.run->notes.notifications) {
            isMarked = isMarked || acp::metaOf(each.params, acp::kMetaRetry) != nullptr;
        }
        QVERIFY(isMarked);
    }

    void anUnknownToolIsToldToTheModel() {
        AgentRig rig("anthropic", q("{'answer':{'content':[" + calling("c1", "fly", "{'to':'moon'}") + "," + calling("c2", "read", "{'path':5}") + "," +
                                    calling("c3", "read", "['{broken']") + "]}},{'expect':{'tool_results':[{'tool':'fly','text':'There is no tool','error':true},{'tool':'read','text':'is not a string','error':true}]},"
                                    "'answer':{'content':[{'text':'sorry'}]}}"));
        rig.begin();
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
        QCOMPARE(rig.failures(), QByteArray());
        QVERIFY(rig.updateOf("tool_call", "c1").at("kind") == "other");
    }

    void anEndlessAnswerEnds() {
        AgentRig rig("openai", saying("{'endless':'" + std::string(2000, 'x') + "'}"));
        rig.begin();
        const auto words = rig.words(rig.prompt("go"));
        QVERIFY2(words.starts_with("error -32603"), words.c_str());
        QVERIFY(rig.server->waitForDeliveries(1));
    }

    void nobodyThere() {
        std::uint16_t port = 0;
        {
            const auto gone = serverOf(q(saying("{'text':'x'}")));
            port = gone->port();
        }
        AgentRig rig("openai", saying("{'text':'x'}"), {"CARREL_MODEL_URL=http://127.0.0.1:" + std::to_string(port) + "/v1"});
        rig.begin();
        const auto words = rig.words(rig.prompt("go"));
        QVERIFY2(words.find("no connection to 127.0.0.1") != std::string::npos && words.find("carrel-ask why") != std::string::npos, words.c_str());
    }

    void settings_data() {
        QTest::addColumn<QByteArray>("variable");
        QTest::addColumn<QByteArray>("message");
        QTest::newRow("api") << QByteArray("CARREL_MODEL_API=gemini") << QByteArray("CARREL_MODEL_API is neither");
        QTest::newRow("url") << QByteArray("CARREL_MODEL_URL=ftp://x") << QByteArray("begins with neither https:// nor http://");
        QTest::newRow("name") << QByteArray("CARREL_MODEL=") << QByteArray("CARREL_MODEL is not set");
        QTest::newRow("home") << QByteArray("CARREL_AGENT_HOME=relative") << QByteArray("not known where conversations are to lie");
        QTest::newRow("home that cannot be") << QByteArray("CARREL_AGENT_HOME=/proc/none") << QByteArray("making the folder of the conversations");
    }
    void settings() {
        QFETCH(QByteArray, variable);
        QFETCH(QByteArray, message);
        AgentRig rig("anthropic", saying("{'text':'x'}"), {variable.toStdString()});
        const auto outcome = rig.run->ask("session/new", acp::toJson(acp::SessionPlace{"", rig.work()}));
        QVERIFY(!outcome);
        QVERIFY2(outcome.error().message.find(message.toStdString()) != std::string::npos, outcome.error().message.c_str());
    }

    void sessionsThatAreNone() {
        AgentRig rig("anthropic", saying("{'text':'x'}"));
        const auto code = [&](std::string_view method, json::object params) { return rig.run->ask(method, std::move(params)).error().code; };
        QCOMPARE(code("session/new", {{"cwd", "relative"}, {"mcpServers", json::array()}}), std::int64_t(-32602));
        QCOMPARE(code("session/new", {{"cwd", "/nowhere/at/all"}, {"mcpServers", json::array()}}), std::int64_t(-32602));
        QCOMPARE(code("session/prompt", acp::toJson(acp::Prompt{"none", {acp::TextBlock{"x"}}})), std::int64_t(-32002));
        rig.begin();
        QCOMPARE(code("session/prompt", acp::toJson(acp::Prompt{rig.session, {}})), std::int64_t(-32602));
        QCOMPARE(code("session/prompt", acp::toJson(acp::Prompt{rig.session, {acp::TextBlock{" \n"}}})), std::int64_t(-32602));
        for (const char* id : {"none", "../../etc/passwd", "0123456789abcdef0123456789abcdef"}) {
            QCOMPARE(code("session/load", acp::toJson(acp::SessionPlace{id, rig.work()})), std::int64_t(-32002));
        }
        QCOMPARE(code("session/set_mode", acp::modeParams(rig.session, "fly")), std::int64_t(-32602));
        QVERIFY(rig.run->peer().notify("session/cancel", {{"sessionId", 5}})); // no answer, and no harm
        QVERIFY(rig.run->peer().notify("unknown", {}));
        QCOMPARE(rig.words(rig.prompt("go")), std::string("end_turn"));
    }
};

QTEST_GUILESS_MAIN(TestFailures)
#include "test_failures.moc"
