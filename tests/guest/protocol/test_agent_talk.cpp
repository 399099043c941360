// SPDX-License-Identifier: Apache-2.0
// The calls to an agent program and its updates, as every reader of them takes them: hostile sizes fit, hostile forms do not.
#include "guest/protocol/agent_talk.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::talk;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

std::vector<What> oneOfEach() {
    return {Started{"an agent", "1.2", "s-1", true, false, {{"code", "Code"}}, "code"},
            Text{1, "h\xc3\xa4llo"},
            Thought{1, "hm"},
            Plan{1, {{"read", Priority::High, StepStatus::Completed}, {"write", Priority::Low, StepStatus::InProgress}}},
            Tool{2, "t1", "Edit a.md", ToolKind::Edit, ToolStatus::Failed, "{}", "no", {{"/a", "old", "new"}, {"/b", {}, "new"}}, {"/a"}},
            Permission{2, 3, "Run it?", "t1", {{"yes", "Allow", OptionKind::AllowOnce}, {"no", "Reject", OptionKind::RejectAlways}}},
            Permission{2, 4, "Which year?", "t2", {{"choice-0", "2026", OptionKind::AllowOnce}}, true},
            PermissionOver{3},
            ModeNow{"code"},
            Other{0, "available_commands_update", "{}"},
            TurnEnded{2, TurnStop::Failed, "it broke", "try again"},
            Ended{"It ended by itself.", 1, {}, "said"},
            Ended{"It was ended.", {}, 9, ""},
            Lost{12}};
}

} // namespace

class TestAgentTalk : public QObject {
    Q_OBJECT
private slots:
    void callsComeBackAsTheyWere() {
        const std::vector<Call> all{Start{1, {"/bin/agent", "--acp"}, {{"A", "b=c"}, {"EMPTY", ""}}, "/workspace", "s-1"},
                                    Start{kMaxNumber, {"agent"}, {}, "/", {}},
                                    Prompt{1, 2, "sort \xc3\xa4", {"/workspace/a b"}},
                                    Cancel{1},
                                    Permit{1, 2, "yes"},
                                    Permit{1, 2, {}},
                                    SetMode{1, "code"},
                                    Stop{1},
                                    Updates{1, 0, kMaxUpdatesWait}};
        for (const auto& call : all) {
            QVERIFY(isMethod(methodOf(call)));
            const auto back = callFrom(methodOf(call), paramsOf(call));
            QVERIFY2(back, back ? "" : back.error().text().c_str());
            QVERIFY(*back == call);
        }
    }

    void callsThatAreRefused_data() {
        QTest::addColumn<QByteArray>("method");
        QTest::addColumn<QByteArray>("params");
        const auto row = [](const char* name, const char* method, const QByteArray& params) { QTest::newRow(name) << QByteArray(method) << params; };
        row("no such call", "agent.run", R"({"run":1})");
        row("no run", "agent.stop", "{}");
        row("run 0", "agent.stop", R"({"run":0})");
        row("something more", "agent.stop", R"({"run":1,"now":true})");
        row("no program", "agent.start", R"({"run":1,"argv":[],"env":{},"cwd":"/"})");
        row("a program without a name", "agent.start", R"({"run":1,"argv":[""],"env":{},"cwd":"/"})");
        row("a relative folder", "agent.start", R"({"run":1,"argv":["a"],"env":{},"cwd":"work"})");
        row("a NUL in an argument", "agent.start", R"({"run":1,"argv":["a\u0000b"],"env":{},"cwd":"/"})");
        row("a variable with =", "agent.start", R"({"run":1,"argv":["a"],"env":{"A=B":"c"},"cwd":"/"})");
        row("a variable that is no text", "agent.start", R"({"run":1,"argv":["a"],"env":{"A":1},"cwd":"/"})");
        row("an empty prompt", "agent.prompt", R"({"run":1,"turn":1,"text":"","files":[]})");
        row("turn 0", "agent.prompt", R"({"run":1,"turn":0,"text":"a","files":[]})");
        row("a relative file", "agent.prompt", R"({"run":1,"turn":1,"text":"a","files":["b"]})");
        row("a long prompt", "agent.prompt", R"({"run":1,"turn":1,"text":")" + QByteArray(kMaxPromptBytes + 1, 'a') + R"(","files":[]})");
        row("a prompt that grows too long", "agent.prompt", R"({"run":1,"turn":1,"text":")" + QByteArray("\\u0001").repeated(kMaxPromptBytes / 2) + R"(","files":[]})");
        row("a long wait", "agent.updates", R"({"run":1,"after":0,"seconds":61})");
    }
    void callsThatAreRefused() {
        QFETCH(QByteArray, method);
        QFETCH(QByteArray, params);
        const auto call = callFrom(method.toStdString(), json::parse(params.toStdString()).as_object());
        QVERIFY(!call);
        QCOMPARE(call.error().code == ErrorCode::Unsupported, method == "agent.run");
    }

    void updatesComeBackAsTheyWere() {
        std::uint64_t number = 0;
        std::vector<Update> all;
        for (const auto& what : oneOfEach()) {
            QVERIFY(fitted(what) == what);
            const Update update{++number, what};
            const auto back = updateFrom(toJson(update));
            QVERIFY2(back, back ? "" : back.error().text().c_str());
            QVERIFY(*back == update);
            all.push_back(update);
        }
        const auto list = updatesFrom(0, answerWith(all));
        QVERIFY(list && *list == all);
        QVERIFY(!updatesFrom(1, answerWith(all))); // the first was acknowledged
    }

    // Whatever an agent says can be told, and fits the answer that it goes in.
    void whatIsTooLongIsCut() {
        const std::string much(100'000, '\x01'); // six bytes each as JSON
        const std::string broken = std::string(50'000, '\xff');
        std::vector<What> all{Started{much, much, much, true, true, std::vector<Mode>(50, {much, much}), much},
                              Text{1, much},
                              Thought{1, broken},
                              Plan{1, std::vector<PlanEntry>(500, {much, {}, {}})},
                              Tool{1, much, much, {}, {}, much, much, std::vector<Diff>(50, {much, much, much}), std::vector<std::string>(50, much)},
                              Permission{1, 1, much, much, std::vector<Option>(50, {much, much, {}})},
                              ModeNow{much},
                              Other{1, much, much},
                              TurnEnded{1, TurnStop::Failed, much, much},
                              Ended{much, {}, {}, much}};
        for (const auto& what : all) {
            const Update update{kMaxNumber, fitted(what)};
            const auto answer = json::serialize(answerWith(std::span(&update, 1)));
            QVERIFY2(answer.size() <= kMaxAnswerBytes, std::to_string(answer.size()).c_str());
            const auto back = updatesFrom(0, json::parse(answer).as_object());
            QVERIFY2(back, back ? "" : back.error().text().c_str());
            QVERIFY(back->size() == 1 && back->front() == update);
        }
    }

    void outputKeepsItsEnds() {
        const auto what = fitted(Tool{1, "t", "", {}, {}, "", "begin" + std::string(100'000, 'x') + "end", {}, {}});
        const auto& output = std::get<Tool>(what).output;
        QVERIFY(output.size() <= kMaxOutputBytes && output.starts_with("begin") && output.ends_with("end"));
        const auto wide = fitted(Ended{"", {}, {}, [] {
            std::string text;
            for (int i = 0; i < 5000; ++i) {
                text += "\xc3\xa4";
            }
            return text + "x";
        }()});
        QVERIFY(std::get<Ended>(wide).said.ends_with("\xc3\xa4x") && std::get<Ended>(wide).said.find('?') == std::string::npos);
    }

    void anAnswerHoldsAsMuchAsItMay() {
        std::vector<Update> many;
        for (std::uint64_t i = 1; i <= 1000; ++i) {
            many.push_back({i, Text{1, std::string(1000, 'a')}});
        }
        const auto some = updatesFrom(0, answerWith(many));
        QVERIFY(some && some->size() > 50 && some->size() < 110);
        for (auto& each : many) {
            each.what = PermissionOver{1};
        }
        const auto small = updatesFrom(0, answerWith(many));
        QVERIFY(small && small->size() == kMaxUpdatesInAnswer);
        QVERIFY(updatesFrom(0, answerWith({}))->empty());
    }

    void updatesThatAreRefused_data() {
        QTest::addColumn<QByteArray>("update");
        const auto row = [](const char* name, const QByteArray& text) { QTest::newRow(name) << text; };
        row("nothing", "{}");
        row("no number", R"({"mode":{"mode":"a"}})");
        row("number 0", R"({"n":0,"mode":{"mode":"a"}})");
        row("a number alone", R"({"n":1})");
        row("two at once", R"({"n":1,"mode":{"mode":"a"},"lost":{"count":1}})");
        row("an unknown one", R"({"n":1,"run":{"program":"sh"}})");
        row("something more", R"({"n":1,"mode":{"mode":"a","b":1}})");
        row("an unknown word", R"({"n":1,"turn_ended":{"turn":1,"stop":"tired","message":"","hint":""}})");
        row("too long", R"({"n":1,"text":{"turn":1,"text":")" + QByteArray(kMaxPieceBytes + 1, 'a') + R"("}})");
        row("too many modes", R"({"n":1,"started":{"agent":"","version":"","session":"","loads":true,"loaded":true,"mode":"","modes":[)" +
                                  QByteArray(R"({"id":"","name":""},)").repeated(kMaxModes) + R"({"id":"","name":""}]}})");
        row("a plan too long together", R"({"n":1,"plan":{"turn":1,"entries":[)" +
                                            (R"({"text":")" + QByteArray(kMaxPlanBytes / 2 + 1, 'a') + R"(","priority":"low","status":"pending"},)" + R"({"text":")" +
                                             QByteArray(kMaxPlanBytes / 2 + 1, 'a') + R"(","priority":"low","status":"pending"})") +
                                            "]}}");
        row("an exit status that is none", R"({"n":1,"ended":{"how":"","said":"","code":256}})");
    }
    void updatesThatAreRefused() {
        QFETCH(QByteArray, update);
        const auto read = updateFrom(json::parse(update.toStdString()).as_object());
        QVERIFY(!read);
        QVERIFY(read.error().code == ErrorCode::Malformed);
    }
};

QTEST_GUILESS_MAIN(TestAgentTalk)
#include "test_agent_talk.moc"
