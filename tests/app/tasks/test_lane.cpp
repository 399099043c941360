// SPDX-License-Identifier: Apache-2.0
// How an agent's tasks are done: one after the other, turn by turn, with what the agent program asks leave for.
#include "tests/app/tasks/played_hands.h"

#include <QTest>

using namespace carrel;
using namespace carrel::tasks;
using carrel::testing::LaneWorld;
using carrel::testing::PlayedHands;
using activity::EventKind;

class TestLane : public QObject {
    Q_OBJECT
private slots:
    void aTaskIsDone() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Thought{prompt.turn, "let me see"});
            self.tell(talk::Plan{prompt.turn, {{"read", {}, talk::StepStatus::InProgress}}});
            self.tell(talk::Tool{prompt.turn, "t1", "List", talk::ToolKind::Read, talk::ToolStatus::InProgress, "{}", "", {}, {}});
            self.tell(talk::Tool{prompt.turn, "t1", "List", talk::ToolKind::Read, talk::ToolStatus::Completed, "{}", "a b", {}, {"/workspace/a"}});
            self.tell(talk::Text{prompt.turn, "It is "});
            self.tell(talk::Text{prompt.turn, "sorted."});
            self.endTurn(prompt.turn);
        };
        const auto id = w.add("Sort these\nplease", [](NewTask& task) { task.files = {"/home/ada/r.pdf"}; }).record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        const auto task = w.task(id);
        QCOMPARE(task.title, std::string("Sort these"));
        QCOMPARE(task.summary, std::string("It is sorted."));
        QCOMPARE(task.staged, 3U);
        QVERIFY(task.turns == 1 && task.unsaid.empty() && !task.open && task.plan.size() == 1 && task.session == "s-1");
        QVERIFY(task.program == "carrel" && task.provider == "house" && task.firstEvent == 1 && task.lastEvent > 1);
        QCOMPARE(w.hands->waits.load(), 1U); // the machine was started for it
        const auto start = w.hands->starts().at(0);
        QVERIFY(start.environment.at("OWN") == "1" && start.environment.at("MODEL") == "m" && start.argv.front() == "/bin/agent" && !start.load);
        const auto prompt = w.hands->prompts().at(0);
        QVERIFY(prompt.text == "Sort these\nplease" && prompt.files == std::vector<std::string>{"/workspace/attachments/1/r.pdf"});
        QVERIFY(w.items(id, ItemKind::User).at(0).files == prompt.files);
        QCOMPARE(w.items(id, ItemKind::Text).at(0).text, std::string("It is sorted."));
        const auto tools = w.items(id, ItemKind::Tool);
        QVERIFY(tools.size() == 1 && tools[0].text == "a b" && tools[0].status == talk::ToolStatus::Completed);
        QVERIFY(w.hands->noted(EventKind::TaskAdded).size() == 1 && w.hands->noted(EventKind::TaskBegun).size() == 1 && w.hands->noted(EventKind::TaskEnded).size() == 1);
        const auto reported = w.hands->noted(EventKind::AgentTool);
        QVERIFY(reported.size() == 1 && reported[0].provenance == activity::Provenance::Guest); // its claim (I9)
        QTRY_VERIFY_WITH_TIMEOUT(!w.attention().empty() && w.attention().back() == Attention::Review, 60'000);
    }

    void oneAfterTheOther() {
        LaneWorld w;
        std::atomic<bool> hold = true;
        w.hands->onPrompt = [&](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.text != "first" || !hold) {
                self.endTurn(prompt.turn);
            }
        };
        const auto first = w.add("first").record.id;
        const auto second = w.add("second").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(first, TaskState::Working) && w.hands->turn() == 1, 60'000);
        QVERIFY(w.is(second, TaskState::Queued));
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(second, TaskState::Done), 60'000);
        QVERIFY(w.is(first, TaskState::Done));
        // Each in a program of its own.
        QVERIFY(w.hands->starts().size() == 2 && w.hands->starts()[0].run != w.hands->starts()[1].run);
        QVERIFY(w.lane->list().at(0).record.id == second);
    }

    void aFollowUpGoesOnInTheSameProgram() {
        LaneWorld w;
        const auto id = w.add("first").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.lane->say(id, "and now", {}));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done) && w.task(id).turns == 2, 60'000);
        QCOMPARE(w.hands->starts().size(), std::size_t{1});
        QCOMPARE(w.hands->prompts().at(1).text, std::string("and now"));
        // Another task takes the program's place; the next word to the first one loads its conversation.
        const auto other = w.add("other").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(other, TaskState::Done), 60'000);
        QVERIFY(w.lane->say(id, "once more", {}));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done) && w.task(id).turns == 3, 60'000);
        QVERIFY(w.hands->starts().size() == 3 && w.hands->starts().back().load == "s-1");
    }

    void whatIsSaidWhileItWorksWaitsForTheTurn() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.turn == 2) {
                self.endTurn(prompt.turn);
            }
        };
        const auto id = w.add("first").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.hands->turn() == 1 && w.task(id).told, 60'000);
        QVERIFY(w.lane->say(id, "then this", {}));
        QCOMPARE(w.task(id).unsaid.size(), std::size_t{1});
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->prompts().size() == 2 && w.hands->prompts()[1].text == "then this");
    }

    void leaveInsideTheMachineIsGivenByTheSetting() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Permission{prompt.turn, 5, "rm -r /tmp/x", "t1",
                                       {{"always", "", talk::OptionKind::AllowAlways}, {"once", "", talk::OptionKind::AllowOnce}, {"no", "", talk::OptionKind::RejectOnce}}});
        };
        const auto id = w.add("tidy").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(!w.hands->permits().empty(), 60'000);
        QVERIFY(w.hands->permits()[0].request == 5 && w.hands->permits()[0].option == "once");
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        const auto noted = w.hands->noted(EventKind::TaskAnswered);
        QVERIFY(noted.size() == 1 && noted[0].detail.at("by") == "setting");
        QVERIFY(w.items(id, ItemKind::Permission).at(0).answer.find("setting") != std::string::npos);
    }

    void leaveIsAskedOfTheOwnerWhereTheTaskSaysSo() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Permission{prompt.turn, 7, "Run it?", "t1", {{"yes", "Yes", talk::OptionKind::AllowOnce}, {"no", "No", talk::OptionKind::RejectOnce}}});
        };
        const auto id = w.add("tidy", [](NewTask& task) { task.permissions = Permissions::Ask; }).record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        QVERIFY(w.hands->permits().empty());
        QTRY_VERIFY_WITH_TIMEOUT(!w.isCounting, 60'000); // the owner's time
        QVERIFY(!w.lane->answer(id, 6, "yes"));
        QVERIFY(w.lane->answer(id, 7, "perhaps").error().code == ErrorCode::InvalidArgument);
        QVERIFY(w.lane->answer(id, 7, "no"));
        QVERIFY(w.is(id, TaskState::Working));
        QVERIFY(w.hands->permits().at(0).option == "no");
        QTRY_VERIFY_WITH_TIMEOUT(w.isCounting, 60'000);
        QVERIFY(w.lane->answer(id, 7, "yes").error().code == ErrorCode::Conflict);
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void whatTheOwnerWantsNoSettingAnswers() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Permission{prompt.turn, 7, "Which year?", "t1", {{"choice-0", "2025", talk::OptionKind::AllowOnce}, {"choice-1", "2026", talk::OptionKind::AllowOnce}}, true});
        };
        const auto id = w.add("tidy").record.id; // by its setting leave is given
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        QVERIFY(w.hands->permits().empty() && w.task(id).asks.at(0).question);
        const auto kept = tasks::loadTask(w.hands->folder() / (std::to_string(id) + ".json"));
        QVERIFY(kept && kept->asks.size() == 1 && kept->asks[0].question);
        QVERIFY(w.lane->answer(id, 7, "choice-1"));
        QVERIFY(w.hands->permits().at(0).option == "choice-1");
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    // Nothing is allowed that cannot be written down (I5).
    void withoutALogNothingIsAllowed() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.logFails = true;
            self.tell(talk::Permission{prompt.turn, 5, "rm", "t1", {{"once", "", talk::OptionKind::AllowOnce}}});
        };
        const auto id = w.add("tidy").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        QVERIFY(w.hands->permits().empty());
        QVERIFY(!w.lane->answer(id, 5, "once"));
        w.hands->logFails = false;
        QVERIFY(w.lane->answer(id, 5, "once"));
        w.hands->logFails = true;
        tasks::NewTask wanted;
        wanted.text = "more";
        QVERIFY(!w.lane->add(wanted));
        QCOMPARE(w.lane->list().size(), std::size_t{1});
        w.hands->logFails = false;
    }

    void wordsThatAreNone() {
        LaneWorld w;
        tasks::NewTask wanted;
        for (const auto* text : {"", " \n\t", "\xff"}) {
            wanted.text = text;
            QVERIFY(w.lane->add(wanted).error().code == ErrorCode::InvalidArgument);
        }
        wanted.text = std::string(talk::kMaxPromptBytes + 1, 'a');
        QVERIFY(w.lane->add(wanted).error().code == ErrorCode::LimitExceeded);
        QVERIFY(w.lane->say(1, "a", {}).error().code == ErrorCode::NotFound);
        QVERIFY(w.lane->cancel(1).error().code == ErrorCode::NotFound);
    }

    void withoutAModelItWaitsForOne() {
        LaneWorld w;
        w.hasModel = false;
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Provider), 60'000);
        QVERIFY(w.task(id).waiting->hint == "Add one" && w.hands->waits == 0);
        w.hasModel = true;
        w.lane->wake(); // as the engine does when one is added
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void tenThousandUpdatesAreAllThere() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            for (int i = 0; i < 10'000; ++i) {
                self.tell(talk::Text{prompt.turn, "w" + std::to_string(i) + " "});
            }
            self.endTurn(prompt.turn);
        };
        const auto id = w.add("write").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        std::string all;
        for (const auto& item : w.items(id, ItemKind::Text)) {
            QVERIFY(item.text.size() <= kMaxItemText);
            all += item.text;
        }
        std::string wanted;
        for (int i = 0; i < 10'000; ++i) {
            wanted += "w" + std::to_string(i) + " ";
        }
        QVERIFY(all == wanted);
    }
};

QTEST_GUILESS_MAIN(TestLane)
#include "test_lane.moc"
