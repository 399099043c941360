// SPDX-License-Identifier: Apache-2.0
// What an agent's programs ask, from carrel-ask's words to its exit status: each answer is told as what it is, of its own
// requests only, and no number of questions and no end of the engine leaves one hanging.
#include "tests/app/engine/asking_world.h"
#include "tests/app/engine/engine_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::engine;
using namespace std::chrono_literals;
using carrel::engine::test::AskingWorld;
using policy::Effect;

namespace {

const std::vector<std::string> kApply{"apply", "--reason", "it is done"};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

class TestAgentQuestions : public QObject {
    Q_OBJECT
private slots:
    // And not before the file stands on the host.
    void allowedIsZero() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        const auto id = world.open();
        QCOMPARE(world.approvals->queue().find(id)->question.claim, std::string("it is done"));
        QVERIFY(world.decide(id));
        const auto end = ran.get();
        QVERIFY2(end.status == ask::kExitAllowed, end.err.c_str());
        QVERIFY2(has(end.out, "1 of 1 changes are made"), end.out.c_str());
        QVERIFY(std::filesystem::exists(world.w.share() / "a.txt"));
    }
    void deniedIsOne() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        QVERIFY(world.decide(world.open(), Effect::Deny));
        QCOMPARE(ran.get().status, ask::kExitDenied);
        QVERIFY(!std::filesystem::exists(world.w.share() / "a.txt"));
    }
    void expiredIsTwo() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        (void)world.open();
        world.clock.turned = std::chrono::milliseconds(policy::kLastingPatience).count() + 1;
        const auto end = ran.get();
        QCOMPARE(end.status, ask::kExitExpired);
        QVERIFY(has(end.out, "not denied"));
    }
    void cancelledIsThree() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        const auto id = std::to_string(world.open());
        QCOMPARE(world.run({"withdraw", id}).status, 0);
        QCOMPARE(ran.get().status, ask::kExitCancelled);
        QCOMPARE(world.run({"why", id}).status, ask::kExitCancelled);
    }
    void itCanComeBack() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        const auto began = world.run({"apply", "--no-wait", "--reason", "x", "/workspace/papers/a.txt"});
        QVERIFY2(began.status == ask::kExitOpen, began.err.c_str());
        const auto id = world.open();
        QCOMPARE(began.out, std::to_string(id) + "\n");
        QCOMPARE(world.run({"wait", std::to_string(id), "--for", "0s"}).status, ask::kExitOpen);
        QVERIFY(has(world.run({"why"}).out, std::to_string(id) + "  open"));
        QVERIFY(world.decide(id));
        QCOMPARE(world.run({"wait", std::to_string(id)}).status, ask::kExitAllowed);
    }
    void nothingIsStaged() {
        AskingWorld world;
        const auto end = world.run(kApply);
        QVERIFY(end.status == ask::kExitCancelled && has(end.out, "Nothing that could be applied"));
        QVERIFY(world.approvals->queue().list(true).empty());
    }
    void aRuleAnswers() {
        AskingWorld world;
        policy::Rule rule;
        rule.effect = Effect::Allow;
        rule.action = policy::Action::Apply;
        rule.fields["path"] = {"*.txt"};
        QVERIFY(world.approvals->rules().add(rule));
        world.guest->write("a.txt", "agent\n");
        QCOMPARE(world.run(kApply).status, ask::kExitAllowed);
        QVERIFY(std::filesystem::exists(world.w.share() / "a.txt"));
        rule.effect = Effect::Deny;
        rule.fields["path"] = {"*.pdf"};
        QVERIFY(world.approvals->rules().add(rule));
        world.guest->write("b.pdf", "agent\n");
        const auto end = world.run(kApply);
        QCOMPARE(end.status, ask::kExitDenied);
        QVERIFY(!has(end.out + end.err, "pdf")); // what the rules say is the owner's
    }
    // What was allowed and could not be done is not told as allowed, and why not is for the owner: it names the folder.
    void whatCannotBeDoneIsNotAllowed() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        const auto id = world.open();
        QVERIFY(world.approvals->queue().decide(world.wanted(id, Effect::Allow)) && world.approvals->queue().begin(id));
        world.approvals->queue().finished(id, policy::EffectState::Failed, "/home/ada/papers is on fire");
        const auto end = ran.get();
        QCOMPARE(end.status, ask::kExitCancelled);
        QVERIFY(has(end.out, "could not be done") && !has(end.out, "ada"));
    }

    // To the word as if there were none.
    void anothersRequestIsNotThere() {
        AskingWorld world;
        const auto bob = world.addOther();
        const auto of = world.asked(bob, ask::Folder{"secret plan"});
        QVERIFY(of && of->at(0).state == ask::State::Open);
        const auto id = of->at(0).id;
        const auto mine = world.asked(world.w.agent, ask::Folder{"mine"});
        QVERIFY(mine && mine->at(0).id != id);
        for (const ask::Question& question : std::initializer_list<ask::Question>{ask::Wait{id, 0s}, ask::Withdraw{id}, ask::Why{id}}) {
            const auto refused = world.asked(world.w.agent, question);
            QVERIFY(!refused && refused.error().code == ErrorCode::NotFound && !has(refused.error().text(), "plan"));
            QVERIFY(world.asked(bob, question)); // whose it is
            if (std::holds_alternative<ask::Wait>(question)) {
                QVERIFY(world.approvals->queue().find(id)->state == policy::ApprovalState::Open);
            }
        }
        const auto all = world.asked(world.w.agent, ask::Why{});
        QVERIFY(all && all->size() == 1 && all->at(0).id == mine->at(0).id);
        QCOMPARE(world.run({"wait", std::to_string(id)}).status, ask::kExitUsage);
    }

    // Trouble on the host's side names nothing of it, and stands in the engine's log.
    void noWordOfTheHosts() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        // Its store of frozen reviews cannot be written any more.
        const auto home = world.w.folder / "agents" / world.w.agent->id();
        std::filesystem::permissions(home, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
        for (const auto& each : std::filesystem::directory_iterator(home)) {
            if (each.is_directory()) {
                std::filesystem::permissions(each.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
            }
        }
        const auto end = world.run(kApply);
        for (const auto& each : std::filesystem::directory_iterator(home)) {
            std::filesystem::permissions(each.path(), std::filesystem::perms::owner_all);
        }
        std::filesystem::permissions(home, std::filesystem::perms::owner_all);
        QVERIFY2(end.status == ask::kExitUnavailable, (end.out + end.err).c_str());
        QVERIFY2(!has(end.err + end.out, world.w.folder.string()), end.err.c_str());
        const std::lock_guard lock(world.complaintsMutex);
        QVERIFY(world.complaints.size() == 1 && has(world.complaints[0], world.w.folder.string()));
    }

    void soManyAtOnce() {
        AskingWorld world;
        const auto bob = world.addOther();
        const auto id = world.asked(world.w.agent, ask::Folder{""})->at(0).id;
        std::mutex mutex;
        std::vector<Result<ask::Standings>> answers;
        const auto ask = [&](const Approvals::AgentPtr& by, const ask::Question& question) {
            world.asks->asked(by->id(), question, [&](const Result<ask::Standings>& result) {
                const std::lock_guard lock(mutex);
                answers.push_back(result);
            });
        };
        const auto count = [&](ErrorCode code) {
            const std::lock_guard lock(mutex);
            return std::count_if(answers.begin(), answers.end(), [&](const auto& each) { return !each && each.error().code == code; });
        };
        for (int i = 0; i < 3000; ++i) {
            ask(world.w.agent, ask::Wait{id, 60s});
        }
        QCOMPARE(count(ErrorCode::LimitExceeded), static_cast<std::ptrdiff_t>(3000 - ask::kMaxUnderWay));
        QVERIFY(world.asked(bob, ask::Why{})); // another agent has its own
        world.asks->stop();
        const std::lock_guard lock(mutex);
        QCOMPARE(answers.size(), std::size_t{3000});
        QVERIFY(std::count_if(answers.begin(), answers.end(), [](const auto& each) {
                    return each && each->at(0).state == ask::State::Open;
                }) == static_cast<std::ptrdiff_t>(ask::kMaxUnderWay));
    }
    // Each makes the host look at what is staged, whatever becomes of it.
    void soManyLooksAMinute() {
        AskingWorld world;
        std::size_t refused = 0;
        for (std::size_t i = 0; i < AgentAsks::kMaxLooksPerMinute + 5; ++i) {
            const auto answer = world.asked(world.w.agent, ask::Apply{{}, "again"});
            QVERIFY(answer ? answer->at(0).state == ask::State::Cancelled : answer.error().code == ErrorCode::LimitExceeded);
            refused += answer ? 0U : 1U;
        }
        QCOMPARE(refused, std::size_t{5});
        QVERIFY(world.asked(world.w.agent, ask::Why{}));
    }
    void soManyLooksAtOnce() {
        AskingWorld world;
        std::promise<void> gate;
        const auto opened = gate.get_future().share();
        world.guest->beforeList([opened] { opened.wait(); });
        world.guest->write("a.txt", "agent\n");
        std::atomic<int> answered = 0;
        for (std::size_t i = 0; i < AgentAsks::kMaxLooks; ++i) {
            world.asks->asked(world.w.agent->id(), ask::Apply{{}, ""}, [&](const Result<ask::Standings>&) { ++answered; });
        }
        const auto more = world.asked(world.w.agent, ask::Apply{{}, ""});
        QVERIFY(!more && more.error().code == ErrorCode::LimitExceeded);
        QVERIFY(world.asked(world.w.agent, ask::Why{})); // and nothing waits for them
        QCOMPARE(answered.load(), 0);
        gate.set_value();
        QTRY_COMPARE_WITH_TIMEOUT(answered.load(), static_cast<int>(AgentAsks::kMaxLooks), 60'000);
    }
    // More than may be open is turned away, which is no denial.
    void tooManyOpen() {
        AskingWorld world;
        for (const char* name : {"a", "b", "c", "d"}) {
            world.guest->write(name, "agent\n");
        }
        for (const char* name : {"a", "b", "c"}) {
            QCOMPARE(world.run({"apply", "--no-wait", "--reason", "x", std::string("/workspace/papers/") + name}).status, ask::kExitOpen);
        }
        QCOMPARE(world.run({"apply", "--no-wait", "--reason", "x", "/workspace/papers/d"}).status, ask::kExitCancelled);
    }

    // A wait is told how it stands and asks again when there is an engine; so no answer is lost with a restart.
    void theEngineGoesAndComes() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        auto ran = world.running(kApply);
        const auto id = world.open();
        agents::test::within(60s, "stopping", [&] {
            world.comeUp();
            return true;
        });
        QVERIFY(ran.wait_for(0s) == std::future_status::timeout);
        QVERIFY(world.decide(id));
        QCOMPARE(ran.get().status, ask::kExitAllowed);
    }
    void nothingIsTakenAfterTheEnd() {
        AskingWorld world;
        world.asks->stop();
        const auto late = world.asked(world.w.agent, ask::Folder{""});
        QVERIFY(!late && late.error().code == ErrorCode::Unavailable);
        QVERIFY(world.approvals->queue().list(true).empty());
    }
    // While the guest is asked for what is staged.
    void stoppingCallsALookOff() {
        AskingWorld world;
        world.guest->write("a.txt", "agent\n");
        std::promise<void> listing, gate;
        const auto opened = gate.get_future().share();
        std::atomic<bool> once = false;
        world.guest->beforeList([&, opened] {
            if (!once.exchange(true)) {
                listing.set_value();
            }
            opened.wait();
        });
        std::promise<Result<ask::Standings>> answered;
        world.asks->asked(world.w.agent->id(), ask::Apply{{}, ""}, [&](const Result<ask::Standings>& result) { answered.set_value(result); });
        listing.get_future().wait();
        agents::test::within(60s, "stopping", [&] {
            world.asks->stop();
            return true;
        });
        const auto answer = answered.get_future().get();
        QVERIFY(!answer && answer.error().code == ErrorCode::Unavailable);
        gate.set_value();
    }

    // The whole engine, with a clerk that hands questions on; also one that takes no answer, however many there are.
    void theEngineEnds_data() {
        QTest::addColumn<int>("questions");
        QTest::newRow("while a program waits") << 1;
        QTest::newRow("while a clerk takes no answer") << 1000;
    }
    void theEngineEnds() {
        QFETCH(int, questions);
        agents::test::StandInClerks clerks;
        auto w = std::make_unique<engine::test::EngineWorld>();
        auto& services = w->engine->services();
        services.clerkProgram = clerks.program();
        for (const char* part : {"kernel", "initrd", "base"}) {
            std::ofstream(w->folder / part) << "x";
        }
        services.bootFiles = [folder = w->folder](const std::string&, const auto&) -> Result<agents::BootFiles> {
            return agents::BootFiles{folder / "kernel", folder / "initrd", folder / "base", "quiet"};
        };
        services.accelerator = [](const auto&) -> Result<hypervisor::Accelerator> { return hypervisor::Accelerator::Hardware; };
        QVERIFY(w->ask("agent.start", {{"agent", "ann"}}));
        std::promise<void> gate;
        const auto opened = gate.get_future().share();
        std::atomic<int> answers = 0;
        clerks.on("ask.answer", [&, opened, questions](const boost::json::object&) {
            if (++answers > 1 && questions > 1) {
                opened.wait();
            }
            return boost::json::object{};
        });
        const auto tell = [&](std::uint64_t number, const ask::Question& question) {
            clerks.tell("ask", {{"number", number}, {"method", ask::methodOf(question)}, {"params", ask::paramsOf(question)}});
        };
        tell(1, ask::Folder{"more"});
        QTRY_COMPARE_WITH_TIMEOUT(answers.load(), 1, 60'000);
        const auto all = w->engine->approvals().queue().list(false);
        QCOMPARE(all.size(), std::size_t{1});
        std::thread telling([&] {
            for (int i = 0; i < questions; ++i) {
                tell(2 + static_cast<std::uint64_t>(i), questions == 1 ? ask::Question(ask::Wait{all[0].id, 60s}) : ask::Question(ask::Why{}));
            }
        });
        if (questions == 1) {
            telling.join();
        } else {
            QTRY_VERIFY_WITH_TIMEOUT(answers.load() >= 2, 60'000);
        }
        agents::test::within(60s, "the engine's end", [&] {
            w.reset();
            return true;
        });
        gate.set_value();
        if (telling.joinable()) {
            telling.join();
        }
    }
};

QTEST_GUILESS_MAIN(TestAgentQuestions)
#include "test_agent_questions.moc"
