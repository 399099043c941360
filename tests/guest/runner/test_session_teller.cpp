// SPDX-License-Identifier: Apache-2.0
// Every kind of session/update, as it is told; and what is odd about it.
#include "guest/runner/session_teller.h"

#include <QTest>
#include <boost/json.hpp>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::runner;
using namespace carrel::talk;

class TestSessionTeller : public QObject {
    Q_OBJECT

private slots:
    void init();
    void texts();
    void messages();
    void otherContent();
    void plans();
    void toolsBecomeWhole();
    void toolContent();
    void toolTerminals();
    void oddTools();
    void manyTools();
    void modes();
    void others_data();
    void others();

private:
    void update(const char* text) {
        auto params = json::object{{"sessionId", "s"}, {"update", json::parse(text)}};
        const auto read = acp::updateFrom(std::move(params));
        QVERIFY(read);
        m_teller->update(*read);
    }
    template <class T> T last() {
        const auto* found = m_told.empty() ? nullptr : std::get_if<T>(&m_told.back());
        return found == nullptr ? T{} : *found;
    }
    std::vector<What> m_told;
    std::map<std::string, std::string, std::less<>> m_terminals;
    std::unique_ptr<SessionTeller> m_teller;
};

void TestSessionTeller::init() {
    m_told.clear();
    m_terminals.clear();
    m_teller = std::make_unique<SessionTeller>([this](What what) { m_told.push_back(std::move(what)); },
                                               [this](std::string_view id) -> std::optional<std::string> {
                                                   const auto found = m_terminals.find(id);
                                                   return found == m_terminals.end() ? std::nullopt : std::optional(found->second);
                                               });
    m_teller->beginTurn(3);
}

void TestSessionTeller::texts() {
    update(R"({"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"hello"}})");
    QCOMPARE(last<Text>(), (Text{3, "hello"}));
    update(R"({"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"hm"},"_meta":{"x":1}})");
    QCOMPARE(last<Thought>(), (Thought{3, "hm"}));
    update(R"({"sessionUpdate":"user_message_chunk","content":{"type":"text","text":"what I said"}})");
    QCOMPARE(m_told.size(), 2U);
}

void TestSessionTeller::messages() {
    for (const auto* id : {"m1", "m1", "m2"}) {
        update((R"({"sessionUpdate":"agent_message_chunk","messageId":")" + std::string(id) + R"(","content":{"type":"text","text":"x"}})").c_str());
    }
    QCOMPARE(std::get<Text>(m_told[1]).text, std::string("x"));
    QCOMPARE(last<Text>().text, std::string("\n\nx")); // another message begins
    m_teller->beginTurn(4);
    update(R"({"sessionUpdate":"agent_message_chunk","messageId":"m3","content":{"type":"text","text":"y"}})");
    QCOMPARE(last<Text>(), (Text{4, "y"}));
}

void TestSessionTeller::otherContent() {
    update(R"({"sessionUpdate":"agent_message_chunk","content":{"type":"image","mimeType":"image/png","data":"AAAA"}})");
    QCOMPARE(last<Other>().name, std::string("agent_message_chunk"));
    QVERIFY(last<Other>().text.find("image/png") != std::string::npos);
    update(R"({"sessionUpdate":"agent_message_chunk","content":"hello"})");
    QCOMPARE(last<Other>().text, std::string(R"({"sessionUpdate":"agent_message_chunk","content":"hello"})"));
}

void TestSessionTeller::plans() {
    update(R"({"sessionUpdate":"plan","entries":[{"content":"a","priority":"high","status":"completed"},{"content":"b","priority":"urgent"},
              {"priority":"low"},7,{"content":"c","priority":"low","status":"in_progress"}]})");
    QCOMPARE(last<Plan>(), (Plan{3,
                                 {{"a", Priority::High, StepStatus::Completed},
                                  {"b", Priority::Medium, StepStatus::Pending},
                                  {"c", Priority::Low, StepStatus::InProgress}}}));
    update(R"({"sessionUpdate":"plan","entries":"none"})");
    QCOMPARE(last<Other>().name, std::string("plan"));
}

void TestSessionTeller::toolsBecomeWhole() {
    update(R"({"sessionUpdate":"tool_call","toolCallId":"c1","title":"Read it","kind":"read","rawInput":{"path":"/a"},"locations":[{"path":"/a","line":3},{"line":1}]})");
    Tool expected{3, "c1", "Read it", ToolKind::Read, ToolStatus::Pending, R"({"path":"/a"})", "", {}, {"/a"}};
    QCOMPARE(last<Tool>(), expected);
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1","status":"in_progress","title":null})");
    expected.status = ToolStatus::InProgress;
    QCOMPARE(last<Tool>(), expected);
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1","status":"completed","rawOutput":{"lines":2}})");
    expected.status = ToolStatus::Completed;
    expected.output = R"({"lines":2})";
    QCOMPARE(last<Tool>(), expected);
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1","content":[{"type":"content","content":{"type":"text","text":"two lines"}}]})");
    expected.output = "two lines"; // what is meant to be shown, before what is raw
    QCOMPARE(last<Tool>(), expected);
    const auto about = m_teller->aboutTool(json::object{{"toolCallId", "c1"}, {"title", "Read it?"}});
    QCOMPARE(about.title, std::string("Read it?"));
    QCOMPARE(last<Tool>().output, std::string("two lines"));
    QCOMPARE(m_teller->aboutTool(json::object{{"title", "nothing"}}).id, std::string());
}

void TestSessionTeller::toolContent() {
    update(R"({"sessionUpdate":"tool_call","toolCallId":"c1","title":"Edit","kind":"edit","content":[
              {"type":"content","content":{"type":"text","text":"one"}},
              {"type":"diff","path":"/a","oldText":"x","newText":"y"},{"type":"diff","path":"/b","oldText":null,"newText":"z"},{"type":"diff","path":"/c"},
              {"type":"content","content":{"type":"image","data":"AAAA"}},{"type":"hologram"},3]})");
    QCOMPARE(last<Tool>().output, std::string("one\n[image]"));
    QCOMPARE(last<Tool>().diffs, (std::vector<Diff>{{"/a", "x", "y"}, {"/b", std::nullopt, "z"}}));
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1","content":[]})"); // takes the place of all of it
    QVERIFY(last<Tool>().output.empty() && last<Tool>().diffs.empty());
    const auto text = json::serialize(json::object{{"sessionUpdate", "tool_call_update"}, {"toolCallId", "c1"},
        {"content", {{{"type", "content"}, {"content", {{"type", "text"}, {"text", "begin" + std::string(1'000'000, 'x') + "end"}}}}}}});
    update(text.c_str());
    const auto shown = std::get<Tool>(fitted(m_told.back())).output;
    QVERIFY(shown.starts_with("beginx") && shown.ends_with("xend") && shown.size() <= kMaxOutputBytes);
}

void TestSessionTeller::toolTerminals() {
    m_terminals["t1"] = "building\n";
    update(R"({"sessionUpdate":"tool_call","toolCallId":"c1","title":"Build","content":[{"type":"terminal","terminalId":"t1"}]})");
    QCOMPARE(last<Tool>().output, std::string("building\n"));
    m_terminals["t1"] = "building\ndone\n";
    m_teller->terminalChanged("t1");
    QCOMPARE(last<Tool>().output, std::string("building\ndone\n"));
    m_teller->terminalChanged("t2");
    QCOMPARE(m_told.size(), 2U);
    m_terminals.clear(); // released
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1","status":"completed"})");
    QCOMPARE(last<Tool>().output, std::string("building\ndone\n"));
}

void TestSessionTeller::oddTools() {
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"new","status":"completed"})"); // never begun
    QCOMPARE(last<Tool>().id, std::string("new"));
    update(R"({"sessionUpdate":"tool_call","toolCallId":"c","title":7,"kind":"teleport","status":"dreaming","content":{},"locations":"here"})");
    QCOMPARE(last<Tool>(), (Tool{3, "c", "", ToolKind::Other, ToolStatus::Pending, "", "", {}, {}}));
    for (const auto* none : {R"({"sessionUpdate":"tool_call","title":"whose?"})", R"({"sessionUpdate":"tool_call","toolCallId":""})",
                             R"({"sessionUpdate":"tool_call","toolCallId":{"a":1}})"}) {
        update(none);
        QCOMPARE(last<Other>().name, std::string("tool_call"));
    }
}

void TestSessionTeller::manyTools() {
    for (int i = 0; i < 10'000; ++i) {
        update((R"({"sessionUpdate":"tool_call","toolCallId":"c)" + std::to_string(i) + R"(","title":"a title"})").c_str());
    }
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c9999"})");
    QCOMPARE(last<Tool>().title, std::string("a title"));
    update(R"({"sessionUpdate":"tool_call_update","toolCallId":"c1"})"); // forgotten
    QCOMPARE(last<Tool>().title, std::string());
}

void TestSessionTeller::modes() {
    m_teller->knownMode("ask");
    update(R"({"sessionUpdate":"current_mode_update","currentModeId":"ask"})");
    QVERIFY(m_told.empty());
    update(R"({"sessionUpdate":"current_mode_update","currentModeId":"code"})");
    QCOMPARE(last<ModeNow>(), (ModeNow{"code"}));
    update(R"({"sessionUpdate":"current_mode_update","mode":"code"})");
    QCOMPARE(last<Other>().name, std::string("current_mode_update"));
}

void TestSessionTeller::others_data() {
    QTest::addColumn<QByteArray>("name");
    for (const auto* name : {"available_commands_update", "usage_update", "config_option_update", "session_info_update", "notice", "what_comes_next"}) {
        QTest::newRow(name) << QByteArray(name);
    }
}

void TestSessionTeller::others() {
    QFETCH(QByteArray, name);
    const auto text = R"({"sessionUpdate":")" + name.toStdString() + R"(","a":[1,{"b":null}]})";
    update(text.c_str());
    QCOMPARE(last<Other>(), (Other{3, name.toStdString(), text}));
}

QTEST_GUILESS_MAIN(TestSessionTeller)
#include "test_session_teller.moc"
