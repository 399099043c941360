// SPDX-License-Identifier: Apache-2.0
// What an agent program that keeps to the protocol says, and what the host is told of it; what the host asks, and what the agent hears.
#include "tests/guest/runner/runner_fixture.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::runner;
using namespace carrel::test;

namespace {

json::object permissionAsked(json::object more) {
    json::object out{{"ask", "session/request_permission"},
                     {"params",
                      {{"sessionId", "s1"},
                       {"toolCall", {{"toolCallId", "c1"}, {"title", "rm -r /tmp/x"}, {"kind", "execute"}}},
                       {"options",
                        {{{"optionId", "yes"}, {"name", "Allow"}, {"kind", "allow_once"}},
                         {{"optionId", "no"}, {"name", "Reject"}, {"kind", "reject_once"}},
                         {{"optionId", "odd"}, {"name", "Odd"}, {"kind", "allow_on_tuesdays"}}}}}}};
    for (auto& each : more) {
        out[each.key()] = each.value();
    }
    return out;
}

// As the built-in agent asks what the user wants.
json::object questionAsked() {
    auto out = permissionAsked({{"answered", {{"outcome", {{"outcome", "selected"}, {"optionId", "yes"}}}}}});
    out["params"].as_object()["toolCall"].as_object()["_meta"] = json::object{{"carrel", {{"question", true}}}};
    return out;
}

} // namespace

class TestAgentRunner : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void init() {
        m_runner = std::make_unique<AgentRunner>(plainSettings());
        m_host = std::make_unique<Host>(*m_runner);
    }
    void cleanup() {
        m_runner.reset();
        m_host.reset();
    }
    void aTurn();
    void filesGoAsLinks();
    void theEnvironment();
    void callsInTheWrongPlace();
    void permission();
    void question();
    void cancelClosesQuestions();
    void modes();
    void load();
    void whatCannotBeLoadedBeginsAnew();
    void logsInByAVariable();
    void logsInByNobody();
    void aFailedTurn();
    void theHostBeginsAnew();
    void theLongPoll();
    void stops();
    void oneAfterAnother();
    void theAccountIsMadeAnew();

private:
    std::unique_ptr<AgentRunner> m_runner;
    std::unique_ptr<Host> m_host;
};

void TestAgentRunner::aTurn() {
    QVERIFY(m_host->play(begun({kPrompted, says("Hello, "), says("world"), kTurnDone, kPrompted, says("again"),
                                json::object{{"answer", "turn"}, {"result", {{"stopReason", "max_tokens"}}}}})));
    QVERIFY(m_host->hears<talk::Started>());
    const auto started = m_host->last<talk::Started>();
    QCOMPARE(started, (talk::Started{"Played agent", "7", "s1", true, false, {}, ""}));
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "hello", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QCOMPARE(m_host->text(), std::string("Hello, world"));
    QCOMPARE(m_host->last<talk::TurnEnded>(), (talk::TurnEnded{1, talk::TurnStop::EndTurn, "", ""}));
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "hello", {}})); // the same turn again: nothing happens
    QVERIFY(m_host->ask(talk::Prompt{1, 2, "more", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>(2));
    QCOMPARE(m_host->text(), std::string("Hello, worldagain"));
    QCOMPARE(m_host->all<talk::Text>().back().turn, 2U);
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::MaxTokens);
    QVERIFY(m_host->all<talk::Ended>().empty());
}

void TestAgentRunner::filesGoAsLinks() {
    const json::object expected{
        {"expect", "session/prompt"},
        {"params",
         {{"prompt",
           {{{"type", "text"}, {"text", "sort them"}},
            {{"type", "resource_link"}, {"uri", "file:///workspace/re%20ceipts/m%C3%A4rz.txt"}, {"name", "märz.txt"}},
            {{"type", "resource_link"}, {"uri", "file:///workspace/a%23b/"}, {"name", "a#b"}}}}}},
        {"result", {{"stopReason", "end_turn"}}}};
    QVERIFY(m_host->play(begun({expected})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "sort them", {"/workspace/re ceipts/märz.txt", "/workspace/a#b/"}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
}

void TestAgentRunner::theEnvironment() {
    QVERIFY(m_host->play(begun({json::object{{"variables", {"CARREL_MODEL", "LANG"}}}}), {{"CARREL_MODEL", "small"}}));
    QVERIFY(m_host->until([&] { return m_host->text().ends_with("LANG=C.UTF-8\n"); }));
    QCOMPARE(m_host->text(), std::string("CARREL_MODEL=small\nLANG=C.UTF-8\n"));
}

void TestAgentRunner::callsInTheWrongPlace() {
    QVERIFY(m_host->refusalOf(talk::Updates{1, 0, std::chrono::seconds(1)}) == ErrorCode::NotFound);
    QVERIFY(m_host->refusalOf(talk::Prompt{1, 1, "hello", {}}) == ErrorCode::NotFound);
    QVERIFY(m_host->ask(talk::Stop{1}) && m_host->ask(talk::Cancel{1}));
    QTemporaryDir folder;
    const auto go = folder.filePath("go").toStdString();
    const auto script = json::array{kInitialize, json::object{{"until", go}}, kNewSession, kPrompted};
    QVERIFY(m_host->play(script));
    QVERIFY(m_host->play(script)); // the same run again: nothing happens
    QVERIFY(m_host->refusalOf(talk::Prompt{1, 1, "hello", {}}) == ErrorCode::Conflict);
    QVERIFY(m_host->refusalOf(talk::SetMode{1, "ask"}) == ErrorCode::Conflict);
    QVERIFY(m_host->refusalOf(talk::Start{2, {"true"}, {}, "/", {}}) == ErrorCode::Conflict);
    QFile(QString::fromStdString(go)).open(QIODevice::WriteOnly);
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 2, "hello", {}}));
    QVERIFY(m_host->refusalOf(talk::Prompt{1, 3, "more", {}}) == ErrorCode::Conflict);
    QVERIFY(m_host->refusalOf(talk::Prompt{1, 1, "before", {}}) == ErrorCode::Conflict);
    QVERIFY(m_host->refusalOf(talk::SetMode{1, "ask"}) == ErrorCode::InvalidArgument);
    QVERIFY(m_host->ask(talk::Permit{1, 77, "yes"}));
    QVERIFY(m_host->refusalOf(talk::Prompt{2, 1, "hello", {}}) == ErrorCode::NotFound);
}

void TestAgentRunner::permission() {
    QVERIFY(m_host->play(begun({kPrompted, permissionAsked({{"answered", {{"outcome", {{"outcome", "selected"}, {"optionId", "yes"}}}}}}),
                                permissionAsked({{"answered", {{"outcome", {{"outcome", "cancelled"}}}}}}),
                                json::object{{"ask", "session/request_permission"}, {"params", {{"sessionId", "s1"}}}, {"refused", {{"code", -32602}}}},
                                kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Permission>());
    const auto asked = m_host->last<talk::Permission>();
    QCOMPARE(asked.title, std::string("rm -r /tmp/x"));
    QCOMPARE(asked.tool, std::string("c1"));
    QCOMPARE(asked.turn, 1U);
    // The third option's meaning is not known: nobody can choose it.
    QCOMPARE(asked.options, (std::vector<talk::Option>{{"yes", "Allow", talk::OptionKind::AllowOnce}, {"no", "Reject", talk::OptionKind::RejectOnce}}));
    QVERIFY(m_host->last<talk::Tool>().kind == talk::ToolKind::Execute);
    QVERIFY(m_host->refusalOf(talk::Permit{1, asked.request, "odd"}) == ErrorCode::InvalidArgument);
    QVERIFY(m_host->ask(talk::Permit{1, asked.request, "yes"}));
    QVERIFY(!asked.question);
    QVERIFY(m_host->hears<talk::Permission>(2));
    QCOMPARE(m_host->last<talk::PermissionOver>().request, asked.request);
    QVERIFY(m_host->last<talk::Permission>().request > asked.request);
    QVERIFY(m_host->ask(talk::Permit{1, m_host->last<talk::Permission>().request, {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QCOMPARE(m_host->all<talk::PermissionOver>().size(), 2U);
    QCOMPARE(m_host->last<talk::Other>().name, std::string("session/request_permission"));
}

void TestAgentRunner::question() {
    QVERIFY(m_host->play(begun({kPrompted, questionAsked(), kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Permission>());
    QVERIFY(m_host->last<talk::Permission>().question);
    QVERIFY(m_host->ask(talk::Permit{1, m_host->last<talk::Permission>().request, "yes"}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
}

void TestAgentRunner::cancelClosesQuestions() {
    const json::object cancelled{{"outcome", {{"outcome", "cancelled"}}}};
    QVERIFY(m_host->play(begun({kPrompted, permissionAsked({{"as", "q"}}), json::object{{"expect", "session/cancel"}, {"params", {{"sessionId", "s1"}}}},
                                json::object{{"answered", "q"}, {"result", cancelled}}, permissionAsked({{"answered", cancelled}}),
                                json::object{{"answer", "turn"}, {"error", {{"code", -32603}, {"message", "aborted"}}}}, kPrompted, kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Cancel{1})); // no turn goes on: no error
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Permission>());
    QVERIFY(m_host->ask(talk::Cancel{1}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::Cancelled); // though it said so by an error
    QCOMPARE(m_host->all<talk::PermissionOver>().size(), 1U);
    QCOMPARE(m_host->all<talk::Permission>().size(), 1U); // what it asked afterwards nobody was asked
    QVERIFY(m_host->ask(talk::Prompt{1, 2, "go on", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>(2));
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::EndTurn);
}

void TestAgentRunner::modes() {
    auto session = kNewSession;
    session["result"] = {{"sessionId", "s1"},
                         {"modes", {{"currentModeId", "ask"}, {"availableModes", {{{"id", "ask"}, {"name", "Ask first"}}, {{"id", "yolo"}, {"name", ""}}}}}}};
    QVERIFY(m_host->play({kInitialize, session, json::object{{"expect", "session/set_mode"}, {"params", {{"sessionId", "s1"}, {"modeId", "yolo"}}}, {"result", json::object()}},
                          json::object{{"update", {{"sessionUpdate", "current_mode_update"}, {"currentModeId", "yolo"}}}},
                          json::object{{"update", {{"sessionUpdate", "current_mode_update"}, {"currentModeId", "ask"}}}},
                          json::object{{"expect", "session/set_mode"}, {"error", {{"code", -32603}, {"message", "not now"}}}}}));
    QVERIFY(m_host->hears<talk::Started>());
    QCOMPARE(m_host->last<talk::Started>().modes, (std::vector<talk::Mode>{{"ask", "Ask first"}, {"yolo", "yolo"}}));
    QCOMPARE(m_host->last<talk::Started>().mode, std::string("ask"));
    QVERIFY(m_host->ask(talk::SetMode{1, "yolo"}));
    QVERIFY(m_host->hears<talk::ModeNow>(2)); // told once each, though it was said twice
    QCOMPARE(m_host->all<talk::ModeNow>(), (std::vector<talk::ModeNow>{{"yolo"}, {"ask"}}));
    QVERIFY(m_host->ask(talk::SetMode{1, "yolo"}));
    QVERIFY(m_host->hears<talk::Other>());
    QCOMPARE(m_host->last<talk::Other>().text, std::string("not now"));
}

void TestAgentRunner::load() {
    QVERIFY(m_host->play({kInitialize, json::object{{"expect", "session/load"}, {"params", {{"sessionId", "s1"}, {"cwd", "/"}}}, {"as", "load"}},
                          says("what was said before"), json::object{{"update", {{"sessionUpdate", "user_message_chunk"}, {"content", {{"type", "text"}, {"text", "of old"}}}}}},
                          json::object{{"answer", "load"}, {"result", nullptr}}, kPrompted, says("new"), kTurnDone},
                         {}, "s1"));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->last<talk::Started>().loaded);
    QCOMPARE(m_host->last<talk::Started>().session, std::string("s1"));
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QCOMPARE(m_host->text(), std::string("new"));
}

void TestAgentRunner::whatCannotBeLoadedBeginsAnew() {
    QVERIFY(m_host->play({kInitialize, json::object{{"expect", "session/load"}, {"error", {{"code", -32002}, {"message", "no such session"}}}}, kNewSession}, {}, "gone"));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(!m_host->last<talk::Started>().loaded);
    QCOMPARE(m_host->last<talk::Other>(), (talk::Other{0, "session/load", "no such session"}));
    QVERIFY(m_host->ask(talk::Stop{1}));
    QVERIFY(m_host->hears<talk::Ended>());
    Host second(*m_runner, 2); // one that cannot load is not asked to
    auto cannot = kInitialize;
    cannot["result"] = {{"protocolVersion", 1}};
    QVERIFY(second.play({cannot, kNewSession}, {}, "s1"));
    QVERIFY(second.hears<talk::Started>());
    QVERIFY(!second.last<talk::Started>().loads && !second.last<talk::Started>().loaded);
}

void TestAgentRunner::logsInByAVariable() {
    auto asks = kInitialize;
    asks["result"].as_object()["authMethods"] = {{{"id", "oauth"}, {"name", "Log in with a browser"}},
                                                 {{"id", "other-api-key"}, {"name", "Other key"}},
                                                 {{"id", "played-api-key"}, {"name", "Played key"}}};
    const json::object wants{{"expect", "session/new"}, {"error", {{"code", -32000}, {"message", "Authentication required"}}}};
    QVERIFY(m_host->play({asks, wants, json::object{{"expect", "authenticate"}, {"params", {{"methodId", "played-api-key"}}}, {"result", json::object()}}, kNewSession},
                         {{"PLAYED_API_KEY", "placeholder"}}));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Stop{1}));
    QVERIFY(m_host->hears<talk::Ended>());
    Host second(*m_runner, 2); // and asked once only
    QVERIFY(second.play({asks, wants, json::object{{"expect", "authenticate"}, {"result", nullptr}}, wants}, {{"PLAYED_API_KEY", "placeholder"}}));
    QVERIFY(second.hears<talk::Ended>());
    QVERIFY(second.last<talk::Ended>().how.find("wants to be logged in") != std::string::npos);
}

void TestAgentRunner::logsInByNobody() {
    auto asks = kInitialize;
    asks["result"].as_object()["authMethods"] = {{{"id", "oauth"}, {"name", "Log in with a browser"}, {"description", "needs HOME"}}};
    QVERIFY(m_host->play({asks, json::object{{"expect", "session/new"}, {"error", {{"code", -32000}, {"message", "Authentication required"}}}}}, {{"HOME", "/"}}));
    QVERIFY(m_host->hears<talk::Ended>());
    const auto how = m_host->last<talk::Ended>().how;
    QVERIFY2(how.find("logged in") != std::string::npos && how.find("Log in with a browser") != std::string::npos, how.c_str());
}

void TestAgentRunner::aFailedTurn() {
    QVERIFY(m_host->play(begun({kPrompted, says("so far"),
                                json::object{{"answer", "turn"},
                                             {"error", {{"code", -32603}, {"message", "the model says no"}, {"data", {{"hint", "Take another key"}, {"details", "401"}}}}}},
                                kPrompted, kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QCOMPARE(m_host->last<talk::TurnEnded>(), (talk::TurnEnded{1, talk::TurnStop::Failed, "the model says no: 401", "Take another key"}));
    QVERIFY(m_host->ask(talk::Prompt{1, 2, "again", {}})); // it goes on
    QVERIFY(m_host->hears<talk::TurnEnded>(2));
}

void TestAgentRunner::theHostBeginsAnew() {
    QVERIFY(m_host->play(begun({kPrompted, says("one "), permissionAsked({{"answered", {{"outcome", {{"optionId", "no"}}}}}}), says("two"), kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    const auto known = m_host->after;
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    // It fetches and writes nothing down, again and again: what it was told stays as it was.
    std::vector<talk::Update> heard;
    const auto isAsked = [&] {
        return std::any_of(heard.begin(), heard.end(), [](const auto& each) { return std::holds_alternative<talk::Permission>(each.what); });
    };
    while (!isAsked()) {
        const auto answer = m_host->ask(talk::Updates{1, known, std::chrono::seconds(60)});
        QVERIFY(answer);
        const auto next = talk::updatesFrom(known, answer->as_object());
        QVERIFY(next && next->size() >= heard.size());
        QVERIFY(std::equal(heard.begin(), heard.end(), next->begin()));
        heard = *next;
    }
    Host other(*m_runner); // that knows what was written down
    other.after = known;
    QVERIFY(other.hears<talk::Permission>());
    QCOMPARE(other.told, heard);
    QVERIFY(other.ask(talk::Permit{1, other.last<talk::Permission>().request, "no"}));
    QVERIFY(other.hears<talk::TurnEnded>());
    // What the first one asked on from, it had acknowledged.
    QVERIFY(other.text() == "one two" || other.text() == "two");
}

void TestAgentRunner::theLongPoll() {
    QVERIFY(m_host->play(begun({kPrompted, kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    std::promise<AgentRunner::Answer> first;
    auto firstAnswer = first.get_future();
    m_runner->call(talk::Updates{1, m_host->after, std::chrono::seconds(60)}, [&](AgentRunner::Answer answer) { first.set_value(std::move(answer)); });
    std::promise<AgentRunner::Answer> second;
    auto secondAnswer = second.get_future();
    m_runner->call(talk::Updates{1, m_host->after, std::chrono::seconds(60)}, [&](AgentRunner::Answer answer) { second.set_value(std::move(answer)); });
    QCOMPARE(*firstAnswer.get(), json::value(json::object{{"updates", json::array()}})); // its place was taken
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}})); // nobody else waits for it
    const auto answer = secondAnswer.get();
    QVERIFY(answer && !answer->at("updates").as_array().empty());
    QCOMPARE(*m_host->ask(talk::Updates{1, 1000, std::chrono::seconds(0)}), json::value(json::object{{"updates", json::array()}}));
}

void TestAgentRunner::stops() {
    QTemporaryDir folder;
    RunBounds bounds;
    bounds.toEnd = bounds.toTerminate = std::chrono::milliseconds(50);
    m_runner = std::make_unique<AgentRunner>(plainSettings(bounds));
    m_host = std::make_unique<Host>(*m_runner);
    QVERIFY(m_host->play(begun({kPrompted, json::object{{"complain", "last words\n"}}})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->ask(talk::Stop{1}));
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::Failed);
    QCOMPARE(m_host->last<talk::Ended>().how, std::string("It was stopped"));
    QVERIFY(m_host->ask(talk::Stop{1}));
    // One that hears nothing is killed.
    Host second(*m_runner, 2);
    QVERIFY(second.play(begun({json::object{{"stubborn", true}}, says("I stay")})));
    QVERIFY(second.hears<talk::Text>());
    QVERIFY(second.ask(talk::Stop{2}));
    QVERIFY(second.hears<talk::Ended>());
    QCOMPARE(second.last<talk::Ended>().signal, std::optional<std::uint32_t>(SIGKILL));
    // With the machine, and then no other begins.
    Host third(*m_runner, 3);
    QVERIFY(third.play(begun({})));
    QVERIFY(third.hears<talk::Started>());
    m_runner->end();
    QVERIFY(third.hears<talk::Ended>());
    QCOMPARE(third.last<talk::Ended>().code, std::optional<std::uint32_t>(0));
    QVERIFY(third.refusalOf(talk::Start{4, {"true"}, {}, "/", {}}) == ErrorCode::Unavailable);
}

void TestAgentRunner::oneAfterAnother() {
    QVERIFY(m_host->play(begun({json::object{{"end", 0}}})));
    QVERIFY(m_host->hears<talk::Ended>());
    Host second(*m_runner, 2);
    QVERIFY(second.play(begun({})));
    QVERIFY(second.hears<talk::Started>());
    QCOMPARE(second.told.front().number, 1U);
    QVERIFY(m_host->refusalOf(talk::Updates{1, 0, std::chrono::seconds(0)}) == ErrorCode::NotFound);
}

void TestAgentRunner::theAccountIsMadeAnew() {
    QVERIFY(m_host->play(begun({kPrompted, json::object{{"stubborn", true}}, says("working")})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Text>());
    m_runner->accountEnded();
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY(m_host->last<talk::Ended>().how.find("account was set up again") != std::string::npos);
    QVERIFY(m_host->last<talk::TurnEnded>().message.find("account was set up again") != std::string::npos);
    // While there is none.
    AgentRunner none({[] { return std::shared_ptr<guestd::Spawner>(); }, "carrel-ask", {}});
    Host host(none);
    const auto refused = host.play(begun({}));
    QVERIFY(!refused && refused.error().code == ErrorCode::Unavailable);
    QVERIFY(host.refusalOf(talk::Updates{1, 0, std::chrono::seconds(0)}) == ErrorCode::NotFound);
}

QTEST_GUILESS_MAIN(TestAgentRunner)
#include "test_agent_runner.moc"
