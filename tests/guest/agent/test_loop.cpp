// SPDX-License-Identifier: Apache-2.0
// The loop, with a model and tools that play: what it does, what it tells, and what is left of the conversation however it ends.
#include "guest/agent/anthropic_codec.h"
#include "tests/guest/agent/played_model.h"
#include "tests/guest/agent/turn_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

using Lines = std::vector<std::string>;

TurnFailure busy() {
    return failureOf({529, "overloaded_error", "", {}, {}});
}

struct Rig {
    PlayedModel model;
    NoWaiter waiter;
    Told told;
    Conversation conversation;
    std::stop_source source;
    LoopSettings settings;
    std::deque<PlayedTool> tools;

    explicit Rig(std::deque<PlayedTurn> turns)
        : model(std::move(turns)) {
        settings.model = "m";
        tools.emplace_back("echo", [](const boost::json::object& input, const std::stop_token&) {
            return ToolOutcome{boost::json::serialize(input), ToolEnd::Done};
        });
        tools.emplace_back("fail", [](const boost::json::object&, const std::stop_token&) {
            return ToolOutcome{"it did not work", ToolEnd::Failed};
        });
        tools.emplace_back("stop", [this](const boost::json::object&, const std::stop_token&) {
            source.request_stop();
            return ToolOutcome{"half", ToolEnd::Failed};
        });
        tools.emplace_back("throw",
                           [](const boost::json::object&, const std::stop_token&) -> ToolOutcome { throw std::runtime_error("a defect"); });
    }
    Ended prompt(const char* text = "go") {
        std::vector<Tool*> list;
        for (auto& tool : tools) {
            list.push_back(&tool);
        }
        Loop loop(settings, model, std::move(list), RetryPolicy([] { return 0.0; }), waiter);
        auto how = loop.prompt(conversation, text, told, source.get_token());
        // However it ended: it can be gone on with, and looks the same after a restart.
        if (!conversation.openCalls().empty() || !Conversation::restored(conversation.messages())) {
            qFatal("the conversation is broken");
        }
        return how;
    }
    std::string said() const {
        std::string out;
        for (const auto& message : conversation.messages()) {
            out += (message.role == Role::User ? "U:" : "A:") + words(message) + "\n";
        }
        return out;
    }
};

} // namespace

class TestLoop : public QObject {
    Q_OBJECT
private slots:
    void oneTurn() {
        Rig rig(
            {{{ThoughtDelta{"hm"}, TextDelta{"Hel"}, TextDelta{"lo."}, UsageSeen{{10, 0, 0, 2}}, Stopped{StopReason::EndOfTurn}}, {}, {}}});
        const auto how = rig.prompt();
        QVERIFY(how.reason == EndReason::EndOfTurn && !how.error);
        QCOMPARE(rig.told.lines, (Lines{"thought hm", "text Hel", "text lo.", "usage 12", "ended end-of-turn"}));
        QCOMPARE(rig.said(), std::string("U:go\nA:Hello.\n"));
        QCOMPARE(rig.model.tools, std::size_t(4));
    }

    void toolsAndTheirResults() {
        Rig rig({calls({{"echo", R"({"a":1})"}}), calls({{"fail", "{}"}}), says("Done.")});
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        QCOMPARE(rig.told.lines, (Lines{"begun echo", "finished echo", "begun fail", "failed fail", "text Done.", "ended end-of-turn"}));
        QCOMPARE(rig.said(), std::string("U:go\nA:call id0 echo {\"a\":1}\nU:result id0 {\"a\":1}\nA:call call_2 fail {}\nU:error call_2 "
                                         "it did not work\nA:Done.\n"));
        QCOMPARE(rig.model.asked.size(), std::size_t(3));
        QCOMPARE(words(rig.model.asked[1].back()), std::string("result id0 {\"a\":1}")); // what the model was sent
    }

    void severalRunSideBySide() {
        // Each of the four comes back only when all four have begun.
        Rig rig({calls({{"meet", R"({"n":0})"}, {"meet", R"({"n":1})"}, {"meet", R"({"n":2})"}, {"meet", R"({"n":3})"}}), says("Done.")});
        std::mutex mutex;
        std::condition_variable all;
        int here = 0;
        rig.tools.emplace_back("meet", [&](const boost::json::object& input, const std::stop_token&) {
            std::unique_lock lock(mutex);
            ++here;
            all.notify_all();
            all.wait(lock, [&] { return here == 4; });
            return ToolOutcome{boost::json::serialize(input), ToolEnd::Done};
        });
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        QCOMPARE(words(rig.conversation.messages()[2]),
                 std::string(R"(result id0 {"n":0}|result id1 {"n":1}|result id2 {"n":2}|result id3 {"n":3})"));
    }

    void notMoreThanAreAllowedTo() {
        Rig rig({calls({{"count", "{}"}, {"count", "{}"}, {"count", "{}"}, {"count", "{}"}, {"count", "{}"}}), says("Done.")});
        rig.settings.sideBySide = 1;
        std::atomic<int> now = 0;
        std::atomic<int> most = 0;
        rig.tools.emplace_back("count", [&](const boost::json::object&, const std::stop_token&) {
            most = std::max(most.load(), ++now);
            --now;
            return ToolOutcome{};
        });
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        QCOMPARE(most.load(), 1);
        QCOMPARE(std::count(rig.told.lines.begin(), rig.told.lines.end(), "finished count"), 5);
    }

    void whatTheModelGetsWrongComesBackToIt() {
        Rig rig({calls({{"fly", "{}"}, {"echo", "{\"a\":"}, {"echo", "[]"}, {"throw", "{}"}}), says("I see.")});
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        const auto& parts = rig.conversation.messages()[2].parts;
        const auto result = [&](std::size_t at) { return std::get<ToolResult>(parts[at]); };
        for (std::size_t at = 0; at < 4; ++at) {
            QVERIFY(result(at).isError);
        }
        QCOMPARE(result(0).text, std::string("There is no tool \"fly\". The tools are: echo, fail, stop, throw."));
        QVERIFY(result(1).text.find("not run") != std::string::npos && result(2).text.find("JSON object") != std::string::npos);
        QVERIFY(result(3).text.find("a defect") != std::string::npos);
        QVERIFY(AnthropicCodec().body({"m", "", rig.conversation.messages(), {}, 1}).find(R"("name":"fly","input":{})") !=
                std::string::npos);
    }

    void aCallThatWasCutOff() {
        auto cut = calls({{"echo", ""}});
        cut.deltas.back() = Stopped{StopReason::MaxTokens};
        Rig rig({cut, says("Again.")});
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        QVERIFY(words(rig.conversation.messages()[2]).find("cut off") != std::string::npos);
    }

    void resultsAreCutToFit() {
        QCOMPARE(fittingResult("short", 5), std::string("short"));
        const auto cut = fittingResult("begin" + std::string(1000, 'x') + "end", 40);
        QVERIFY(cut.starts_with("begin") && cut.ends_with("end") && cut.find("968 bytes left out") != std::string::npos);
        QVERIFY(fittingResult(std::string(99, 'x') + "\xe2\x82\xac" + std::string(99, 'y'), 133).find('?') ==
                std::string::npos); // not within a character
        QCOMPARE(fittingResult("\xff", 10), std::string("?"));
        Rig rig({calls({{"much", "{}"}}), says("ok")});
        rig.settings.resultBytes = 100;
        rig.tools.emplace_back("much", [](const boost::json::object&, const std::stop_token&) {
            return ToolOutcome{std::string(1'000'000, 'x'), ToolEnd::Done};
        });
        (void)rig.prompt();
        QVERIFY(std::get<ToolResult>(rig.conversation.messages()[2].parts[0]).text.size() < 200);
    }

    void howItEnds_data() {
        QTest::addColumn<int>("stop");
        QTest::addColumn<int>("reason");
        const auto row = [](const char* name, StopReason stop, EndReason reason) { QTest::newRow(name) << int(stop) << int(reason); };
        row("end", StopReason::EndOfTurn, EndReason::EndOfTurn);
        row("another word", StopReason::Other, EndReason::EndOfTurn);
        row("too long", StopReason::MaxTokens, EndReason::MaxTokens);
        row("window", StopReason::WindowFull, EndReason::MaxTokens);
        row("refusal", StopReason::Refusal, EndReason::Refusal);
    }
    void howItEnds() {
        QFETCH(int, stop);
        QFETCH(int, reason);
        Rig rig({says("x", StopReason(stop))});
        const auto how = rig.prompt();
        QCOMPARE(int(how.reason), reason);
        QCOMPARE(how.error.has_value(), how.reason != EndReason::EndOfTurn);
        QVERIFY(!how.error || !how.error->hint.empty());
    }

    void callsOfARefusedTurnAreNotRun() {
        auto refused = calls({{"echo", "{}"}});
        refused.deltas.back() = Stopped{StopReason::Refusal};
        Rig rig({refused});
        QVERIFY(rig.prompt().reason == EndReason::Refusal);
        QCOMPARE(rig.told.lines, (Lines{"ended refusal"}));
    }

    void turnsAreBounded() {
        Rig rig({calls({{"echo", "{}"}}), calls({{"echo", "{}"}}), calls({{"echo", "{}"}}), says("x")});
        rig.settings.turns = 2;
        const auto how = rig.prompt();
        QVERIFY(how.reason == EndReason::MaxTurns && how.error && !how.error->hint.empty());
        QCOMPARE(rig.model.left(), std::size_t(2));
        QVERIFY(rig.prompt("go on").reason == EndReason::EndOfTurn);
        QVERIFY(rig.said().ends_with("|go on\nA:call call_3 echo {}\nU:result call_3 {}\nA:x\n"));
    }

    void itIsTriedAgain() {
        auto first = says("Hel");
        first.failure = busy();
        auto second = says("Hello th");
        second.failure = failTurn(FailureKind::Dropped, "it broke off").value();
        Rig rig({first, second, says("Hello.")});
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
        QCOMPARE(rig.told.lines, (Lines{"text Hel", "retrying 500 the model's provider has too much to do (HTTP 529, overloaded_error)",
                                        "text Hello th", "retrying 1000 it broke off", "text Hello.", "ended end-of-turn"}));
        QCOMPARE(rig.waiter.waits, (std::vector<std::int64_t>{500, 1000}));
        QCOMPARE(rig.said(), std::string("U:go\nA:Hello.\n")); // what was void is nowhere
    }

    void eachTurnHasItsOwnTries() {
        PlayedTurn fails;
        fails.failure = failTurn(FailureKind::Malformed, "nonsense").value();
        Rig rig({fails, calls({{"echo", "{}"}}), fails, says("x")});
        QVERIFY(rig.prompt().reason == EndReason::EndOfTurn);
    }

    void itGivesUp() {
        PlayedTurn fails;
        fails.failure = busy();
        Rig rig(std::deque<PlayedTurn>(20, fails));
        const auto how = rig.prompt();
        QVERIFY(how.reason == EndReason::Failed && how.error && !how.error->hint.empty());
        QCOMPARE(rig.waiter.waits.size(), std::size_t(8));
        QCOMPARE(rig.said(), std::string("U:go\n")); // kept; the next prompt joins it
        Rig wrongKey({{{}, failureOf({401, "authentication_error", "invalid x-api-key", {}, {}}), {}}, says("x")});
        const auto refused = wrongKey.prompt();
        QVERIFY(refused.reason == EndReason::Failed && refused.error->hint.find("carrel credential") != std::string::npos);
        QVERIFY(wrongKey.waiter.waits.empty());
        QVERIFY(wrongKey.prompt("now").reason == EndReason::EndOfTurn);
        QCOMPARE(wrongKey.said(), std::string("U:go|now\nA:x\n"));
    }

    void anEmptyTurn() {
        const PlayedTurn empty{{Stopped{StopReason::EndOfTurn}}, {}, {}};
        Rig once({empty, says("x")});
        QVERIFY(once.prompt().reason == EndReason::EndOfTurn);
        Rig twice({empty, empty, says("x")});
        const auto how = twice.prompt();
        QVERIFY(how.reason == EndReason::Failed && how.error->message.find("without a word") != std::string::npos);
    }

    void anEndlessAnswer() {
        PlayedTurn endless;
        for (int i = 0; i < 1000; ++i) {
            endless.deltas.emplace_back(TextDelta{std::string(100, 'x')});
        }
        Rig rig({endless, says("ok")});
        rig.settings.turn.bytes = 1000;
        const auto how = rig.prompt();
        QVERIFY(how.reason == EndReason::Failed && how.error->code == ErrorCode::LimitExceeded);
        QCOMPARE(rig.said(), "U:go\nA:" + std::string(1000, 'x') + "\n"); // what was shown is kept
        QVERIFY(rig.prompt("less").reason == EndReason::EndOfTurn);
    }

    void stoppedWhileItSpeaks() {
        auto turn = calls({{"echo", "{}"}});
        turn.deltas.insert(turn.deltas.begin(), TextDelta{"I begin"});
        std::stop_source* source = nullptr;
        turn.then = [&source] { source->request_stop(); };
        Rig rig({turn, says("x")});
        source = &rig.source;
        QVERIFY(rig.prompt().reason == EndReason::Cancelled);
        QCOMPARE(rig.said(), std::string("U:go\nA:I begin\n")); // the call never ran, and is not there
        QVERIFY(rig.waiter.waits.empty());
        QCOMPARE(rig.told.lines.back(), std::string("ended cancelled"));
    }

    void stoppedWhileToolsRun() {
        Rig rig({calls({{"echo", "{}"}, {"stop", "{}"}, {"echo", "{}"}}), says("x")});
        rig.settings.sideBySide = 1;
        QVERIFY(rig.prompt().reason == EndReason::Cancelled);
        const auto& parts = rig.conversation.messages()[2].parts;
        QCOMPARE(parts.size(), std::size_t(3)); // each call has its result
        QVERIFY(!std::get<ToolResult>(parts[0]).isError);
        QCOMPARE(std::get<ToolResult>(parts[1]).text, std::string("The user stopped this before it was done.\nhalf"));
        QCOMPARE(std::get<ToolResult>(parts[2]).text, std::string("The user stopped the work before this began. It was not run."));
        QCOMPARE(rig.model.left(), std::size_t(1));
    }

    void stoppedWhileItWaits() {
        PlayedTurn fails;
        fails.failure = busy();
        Rig rig({fails, says("x")});
        rig.waiter.during = [&] { rig.source.request_stop(); };
        QVERIFY(rig.prompt().reason == EndReason::Cancelled);
        QCOMPARE(rig.said(), std::string("U:go\n"));
        QVERIFY(rig.prompt("more").reason == EndReason::Cancelled); // stopped before it began: nothing is sent
        QCOMPARE(rig.model.asked.size(), std::size_t(1));
    }

    void aRunningToolHearsOfIt() {
        Rig rig({calls({{"wait", "{}"}}), says("x")});
        rig.tools.emplace_back("wait", [](const boost::json::object&, const std::stop_token& stop) {
            ClockWaiter().wait(std::chrono::hours(24), stop) == Waited::Whole ? std::abort() : void();
            return ToolOutcome{"", ToolEnd::Failed};
        });
        rig.told.onBegun = [&](const ToolUse&) { rig.source.request_stop(); };
        QVERIFY(rig.prompt().reason == EndReason::Cancelled);
    }

    void thoughtsThatLeadToNothing() {
        Rig rig({{{Sealed{"anthropic", {{"type", "thinking"}}}, Stopped{StopReason::MaxTokens}}, {}, {}}, says("x")});
        QVERIFY(rig.prompt().reason == EndReason::MaxTokens);
        QCOMPARE(rig.said(), std::string("U:go\n"));
    }

    void nothingIsSaid() {
        Rig rig({says("x")});
        const auto how = rig.prompt(" ");
        QVERIFY(how.reason == EndReason::Failed && how.error->code == ErrorCode::InvalidArgument);
        QCOMPARE(rig.model.left(), std::size_t(1));
    }

    void whatCannotBeKeptIsNotDone() {
        struct Full final : ConversationKeeper {
            int left = 1; // the prompt is kept, the model's turn is not
            Status keep(const Message&) override { return left-- > 0 ? Status() : Status(fail(ErrorCode::Io, "the disk is full")); }
            Status keepInstead(const std::vector<Message>&) override { return {}; }
        } keeper;
        Rig rig({calls({{"echo", "{}"}}), says("x")});
        rig.conversation = Conversation(&keeper);
        const auto how = rig.prompt();
        QVERIFY(how.reason == EndReason::Failed && how.error->code == ErrorCode::Io);
        QCOMPARE(rig.told.lines, (Lines{"ended failed"})); // no tool ran
    }
};

QTEST_GUILESS_MAIN(TestLoop)
#include "test_loop.moc"
