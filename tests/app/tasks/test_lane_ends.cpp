// SPDX-License-Identifier: Apache-2.0
// How a task comes to its end, or is kept from it: cancelled, failed, a machine that is paused, stopped or never starts, a program that is
// gone, a budget that is used up, and an engine that is another one meanwhile.
#include "tests/app/tasks/played_hands.h"

#include <QFile>
#include <QIODevice>
#include <QTest>

#include <future>

using namespace carrel;
using namespace carrel::tasks;
using carrel::testing::LaneWorld;
using carrel::testing::PlayedHands;
using activity::EventKind;

namespace {

void holds(LaneWorld& w) { // its turns go on until the test ends them
    w.hands->onPrompt = [](PlayedHands&, const talk::Prompt&) {};
}

} // namespace

class TestLaneEnds : public QObject {
    Q_OBJECT
private slots:
    void cancelledWhileItWorks() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        const auto second = w.add("next").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.hands->turn() == 1 && w.task(id).told, 60'000);
        QVERIFY(w.lane->say(id, "more", {}));
        QVERIFY(w.lane->cancel(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QVERIFY(w.task(id).unsaid.empty() && !w.task(id).open);
        QCOMPARE(w.hands->noted(EventKind::TaskCancelled).size(), std::size_t{1});
        QTRY_VERIFY_WITH_TIMEOUT(w.is(second, TaskState::Working), 60'000); // the queue goes on
        QVERIFY(w.lane->cancel(id)); // nothing more
        QCOMPARE(w.hands->noted(EventKind::TaskCancelled).size(), std::size_t{1});
    }

    void cancelledBeforeItBegan() {
        LaneWorld w;
        holds(w);
        (void)w.add("first");
        const auto id = w.add("second").record.id;
        QVERIFY(w.lane->cancel(id));
        QVERIFY(w.is(id, TaskState::Cancelled));
        QVERIFY(w.lane->say(id, "after all", {})); // and can be taken up again
        QVERIFY(w.is(id, TaskState::Queued));
    }

    void cancelledWhileItsMachineStarts() {
        LaneWorld w;
        std::atomic<bool> let = false;
        w.hands->starting = [&] {
            while (!let) {
                std::this_thread::yield();
            }
            return Status(fail(ErrorCode::Cancelled, "called off"));
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.hands->waits == 1, 60'000);
        QVERIFY(w.lane->cancel(id));
        let = true;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QVERIFY(w.hands->prompts().empty());
    }

    void aProgramThatDoesNotHeedACancelIsEnded() {
        LaneWorld w;
        w.close();
        w.patience = std::chrono::milliseconds(0);
        w.open();
        holds(w);
        w.hands->onCancel = [](PlayedHands&) {};
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        QVERIFY(w.lane->cancel(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 20'000);
    }

    void aTurnThatFails() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Tool{prompt.turn, "t1", "Run", talk::ToolKind::Execute, talk::ToolStatus::InProgress, "", "", {}, {}});
            self.endTurn(prompt.turn, talk::TurnStop::Failed, "the key is wrong");
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 60'000);
        // It is the program's word, in a line of Carrel's: quoted.
        QCOMPARE(w.task(id).trouble->message, std::string("The agent could not go on. Its program says: “the key is wrong”"));
        QVERIFY(w.items(id, ItemKind::Tool).at(0).status == talk::ToolStatus::Failed); // none goes on for ever
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) { self.endTurn(prompt.turn); };
        QVERIFY(w.lane->say(id, "again", {})); // the conversation is kept
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(!w.task(id).trouble);
    }

    void turnsThatEndEarlySayWhy_data() {
        QTest::addColumn<int>("stop");
        QTest::newRow("tokens") << int(talk::TurnStop::MaxTokens);
        QTest::newRow("requests") << int(talk::TurnStop::MaxTurnRequests);
        QTest::newRow("refusal") << int(talk::TurnStop::Refusal);
    }
    void turnsThatEndEarlySayWhy() {
        QFETCH(int, stop);
        LaneWorld w;
        w.hands->onPrompt = [stop](PlayedHands& self, const talk::Prompt& prompt) { self.endTurn(prompt.turn, talk::TurnStop(stop)); };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 60'000);
        QVERIFY(!w.task(id).trouble->message.empty() && !w.task(id).trouble->hint.empty());
    }

    void aProgramThatEndsInTheMiddle() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt&) { self.programEnds("It crashed."); };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 60'000);
        QVERIFY(w.task(id).trouble->message.find("“I ended: It crashed. its last words”") != std::string::npos);
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) { self.endTurn(prompt.turn); };
        QVERIFY(w.lane->say(id, "again", {}));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->starts().size() == 2 && w.hands->starts()[1].load == "s-1");
    }

    void aProgramThatDoesNotStart() {
        LaneWorld w;
        w.hands->onStart = [](PlayedHands& self, const talk::Start&) { self.programEnds("There is no such program."); };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 60'000);
        QVERIFY(w.task(id).trouble->message.find("no such program") != std::string::npos);
    }

    void aMachineThatDoesNotStart() {
        LaneWorld w;
        std::atomic<bool> starts = false;
        w.hands->starting = [&] { return starts ? Status() : Status(fail(ErrorCode::Io, "no room on the disk", "Make room")); };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        QVERIFY(w.task(id).waiting->text.find("no room") != std::string::npos && w.task(id).waiting->hint == "Make room");
        QTRY_VERIFY_WITH_TIMEOUT(!w.attention().empty() && w.attention().back() == Attention::Machine, 60'000);
        starts = true;
        QVERIFY(w.lane->goOn(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void aMachineThatIsPausedMeanwhile() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->pause("a request for example.org:443 held the canary bait");
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        QCOMPARE(w.task(id).waiting->text, std::string("The agent's machine was paused: a request for example.org:443 held the canary bait."));
        w.hands->tell(talk::Text{1, "still here"});
        w.hands->set(PlayedHands::Machine::Ready); // by the owner; the task goes on by itself
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Working), 60'000);
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->starts().size() == 1 && w.hands->prompts().size() == 1);
        QCOMPARE(w.task(id).summary, std::string("still here"));
    }

    void aMachineThatIsStoppedMeanwhile() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.turn == 2) {
                self.endTurn(prompt.turn);
            }
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->set(PlayedHands::Machine::Off);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        QCOMPARE(w.hands->waits.load(), 1U); // the owner's stop is not undone
        w.hands->set(PlayedHands::Machine::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->starts().size() == 2 && w.hands->starts()[1].load == "s-1");
        QVERIFY(w.hands->prompts().at(1).text.find("interrupted") != std::string::npos);
    }

    // It ends its programs first, and what they say of that arrives while it is on its way down.
    void aMachineThatIsStoppedTellsOfItsProgramsEnd_data() {
        QTest::addColumn<bool>("turnFirst");
        QTest::newRow("the program ended") << false;
        QTest::newRow("its turn failed") << true;
    }
    void aMachineThatIsStoppedTellsOfItsProgramsEnd() {
        QFETCH(bool, turnFirst);
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.turn == 2) {
                self.endTurn(prompt.turn);
            }
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->stopsAndTells(turnFirst ? talk::What(talk::TurnEnded{1, talk::TurnStop::Failed, "the connection broke off", {}})
                                         : talk::What(talk::Ended{"It was ended by signal 15.", 1, {}, {}}));
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        QVERIFY(w.task(id).open);
        w.hands->set(PlayedHands::Machine::Off);
        QVERIFY(w.goesRound(3));
        QVERIFY(w.waits(id, WaitsFor::Machine) && w.hands->waits == 1); // the owner's stop is not undone
        w.hands->set(PlayedHands::Machine::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->prompts().at(1).text.find("interrupted") != std::string::npos);
    }

    // Cancelled for good, also where nobody could be told; and what comes after it does not undo the owner's stop.
    void cancelledWhileItsMachineIsPaused() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->set(PlayedHands::Machine::Paused);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        const auto next = w.add("next").record.id;
        QVERIFY(w.lane->cancel(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(next, WaitsFor::Machine), 60'000);
        QVERIFY(w.task(id).stray);
        QVERIFY(w.lane->cancel(next));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(next, TaskState::Cancelled), 60'000);
        w.hands->set(PlayedHands::Machine::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).gone && !w.task(id).stray, 60'000); // its program was ended
        QVERIFY(w.hands->turn() == 1 && w.hands->prompts().size() == 1);
    }

    void theOwnersStopIsNotUndoneByTheNextTask() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        const auto next = w.add("next").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->set(PlayedHands::Machine::Off);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        QVERIFY(w.goesRound(3));
        QVERIFY(w.is(next, TaskState::Queued) && w.hands->waits == 1);
    }

    void aConversationThatCannotBeLoadedIsToldWhatTheUserSaid() {
        LaneWorld w;
        w.hands->onStart = [](PlayedHands& self, const talk::Start&) { self.tell(talk::Started{"played", "1", "s", false, false, {}, {}}); };
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.turn == 2) {
                self.endTurn(prompt.turn);
            }
        };
        const auto id = w.add("sort the receipts").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->set(PlayedHands::Machine::Off);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        w.hands->set(PlayedHands::Machine::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QVERIFY(w.hands->prompts().at(1).text.find("sort the receipts") != std::string::npos && !w.hands->starts()[1].load);
    }

    // The program goes on while no engine runs; the next one misses nothing and says nothing twice.
    void anotherEngineGoesOn() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->tell(talk::Text{1, "one "});
        QTRY_VERIFY_WITH_TIMEOUT(w.items(id, ItemKind::Text).size() == 1, 60'000);
        w.close();
        w.hands->tell(talk::Text{1, "two "});
        w.open();
        QTRY_VERIFY_WITH_TIMEOUT(w.items(id, ItemKind::Text).at(0).text == "one two ", 60'000);
        w.close();
        w.hands->tell(talk::Text{1, "three"});
        w.hands->endTurn(1);
        w.open();
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QCOMPARE(w.task(id).summary, std::string("one two three"));
        QVERIFY(w.hands->starts().size() == 1 && w.hands->prompts().size() == 1);
        QVERIFY(w.complaints().empty());
    }

    void aPermissionOutlivesTheEngine() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            self.tell(talk::Permission{prompt.turn, 7, "Run it?", "t1", {{"yes", "Yes", talk::OptionKind::AllowOnce}}});
        };
        const auto id = w.add("tidy", [](NewTask& task) { task.permissions = Permissions::Ask; }).record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        w.close();
        w.open();
        QVERIFY(w.waits(id, WaitsFor::Permission));
        QVERIFY(w.lane->answer(id, 7, "yes"));
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void aUsedUpBudgetPausesAndAsks() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.setOver("The tokens are used up");
        w.hands->tell(talk::Text{1, "hm"});
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Budget), 60'000);
        QVERIFY(w.hands->machine() == PlayedHands::Machine::Paused && !w.isCounting);
        QVERIFY(w.lane->goOn(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Working) && w.hands->machine() == PlayedHands::Machine::Ready && w.isCounting, 60'000);
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        QCOMPARE(w.hands->prompts().size(), std::size_t{1});
    }

    void aTurnThatTheBudgetBrokeOffIsGoneOnWith() {
        LaneWorld w;
        w.hands->onPrompt = [&](PlayedHands& self, const talk::Prompt& prompt) {
            if (prompt.turn == 1) {
                w.setOver("The money is used up");
                self.endTurn(prompt.turn, talk::TurnStop::Failed, "402");
            } else {
                self.endTurn(prompt.turn);
            }
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Budget), 60'000);
        QVERIFY(w.lane->goOn(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void aBudgetCanBeCancelled() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.setOver("The tokens are used up");
        w.hands->tell(talk::Text{1, "hm"});
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Budget), 60'000);
        QVERIFY(w.lane->cancel(id));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QVERIFY(w.hands->machine() == PlayedHands::Machine::Ready); // not left paused
    }

    void aChannelThatBeginsAnewIsNoEnd() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->unreachable = true;
        w.hands->tell(talk::Text{1, "x"});
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.hands->unreachable, 60'000);
        w.hands->unreachable = false;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    // A guest that holds the answer to a prompt back while its owner cancels.
    void cancelledWhileItIsTold() {
        LaneWorld w;
        std::promise<void> let;
        auto letting = let.get_future().share();
        std::atomic<bool> asked = false;
        w.hands->onPrompt = [&](PlayedHands&, const talk::Prompt&) {
            asked = true;
            letting.wait();
        };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(asked, 60'000);
        QVERIFY(w.lane->cancel(id));
        QVERIFY(w.lane->say(id, "more", {}).error().code == ErrorCode::Refused); // not while it is being cancelled
        let.set_value();
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QVERIFY(w.task(id).unsaid.empty());
    }

    void aPromptThatIsNotTakenIsAFailureOnce() {
        LaneWorld w;
        w.hands->refusesPrompts = true;
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 60'000);
        QVERIFY(w.goesRound(3));
        QVERIFY(w.task(id).turns == 1 && w.task(id).unsaid.empty() && w.hands->noted(EventKind::TaskBegun).size() == 1);
        tasks::NewTask wanted;
        wanted.text = std::string(40'000, '\x01'); // less than what may be said, and more once it is escaped
        QVERIFY(w.lane->add(wanted).error().code == ErrorCode::LimitExceeded);
    }

    // A machine that takes a prompt and then knows nothing of it, again and again, does not make the log grow for ever.
    void aProgramThatIsLostAgainAndAgain() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt&) { self.forgetRun(); };
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Failed), 20'000);
        QVERIFY(w.hands->noted(EventKind::TaskBegun).size() < 10);
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) { self.endTurn(prompt.turn); };
        QVERIFY(w.lane->say(id, "again", {}));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void aProgramThatEndedBetweenTwoTurns() {
        LaneWorld w;
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        w.hands->programEnds("It ended by itself.");
        QVERIFY(w.lane->say(id, "more", {}));
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done) && w.task(id).turns == 2, 60'000);
        QVERIFY(w.hands->starts().size() == 2 && w.hands->starts()[1].load == "s-1");
    }

    // Each question keeps its place, also while something else is waited for.
    void severalQuestionsAtOnceAndAPauseInBetween() {
        LaneWorld w;
        w.hands->onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
            for (const std::uint64_t request : {4, 5}) {
                self.tell(talk::Permission{prompt.turn, request, "Run " + std::to_string(request), "t", {{"yes", "Yes", talk::OptionKind::AllowOnce}}});
            }
        };
        const auto id = w.add("tidy", [](NewTask& task) { task.permissions = Permissions::Ask; }).record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).asks.size() == 2, 60'000);
        w.hands->set(PlayedHands::Machine::Paused);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine), 60'000);
        w.hands->set(PlayedHands::Machine::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        QVERIFY(w.lane->answer(id, 5, "yes"));
        QVERIFY(w.waits(id, WaitsFor::Permission));
        QVERIFY(w.lane->answer(id, 4, "yes"));
        QVERIFY(w.is(id, TaskState::Working));
        w.hands->tell(talk::Permission{1, 6, "Run 6", "t", {{"yes", "Yes", talk::OptionKind::AllowOnce}}});
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Permission), 60'000);
        w.hands->tell(talk::PermissionOver{6}); // its program does without
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Working), 60'000);
        w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void aCancelOutlivesTheEngine() {
        LaneWorld w;
        holds(w);
        w.hands->onCancel = [](PlayedHands&) {};
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        QVERIFY(w.lane->cancel(id));
        w.close();
        w.hands->onCancel = [](PlayedHands& self) { self.endTurn(1, talk::TurnStop::Cancelled); };
        w.open();
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Cancelled), 60'000);
        QVERIFY(!w.task(id).cancelling);
    }

    // What the owner, or a canary, has paused is not let go on by a budget that gets more.
    void aPauseOfTheOwnersIsNotLifted() {
        LaneWorld w;
        holds(w);
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.task(id).told, 60'000);
        w.hands->set(PlayedHands::Machine::Paused);
        w.setOver("The tokens are used up");
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Budget) || w.waits(id, WaitsFor::Machine), 60'000);
        if (w.waits(id, WaitsFor::Budget)) {
            QVERIFY(w.lane->goOn(id));
        }
        QTRY_VERIFY_WITH_TIMEOUT(w.waits(id, WaitsFor::Machine) || w.waits(id, WaitsFor::Budget), 60'000);
        QVERIFY(w.hands->machine() == PlayedHands::Machine::Paused);
    }

    void aTaskFileThatCannotBeReadIsLeftAlone() {
        LaneWorld w;
        const auto id = w.add("sort").record.id;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
        w.close();
        QFile broken(QString::fromStdString((w.hands->folder() / "7.json").string()));
        QVERIFY(broken.open(QIODevice::WriteOnly) && broken.write("{") == 1);
        broken.close();
        w.open();
        QVERIFY(w.is(id, TaskState::Done));
        QVERIFY(w.lane->list().size() == 1 && w.complaints().size() == 1 && w.complaints()[0].find("7.json") != std::string::npos);
        QVERIFY(broken.exists());
        QCOMPARE(w.add("next").record.id, 8U); // in nobody's place
    }
};

QTEST_GUILESS_MAIN(TestLaneEnds)
#include "test_lane_ends.moc"
