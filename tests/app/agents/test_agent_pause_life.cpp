// SPDX-License-Identifier: Apache-2.0
// The brake, and the beginning and the end of a machine: starts, stops, deletions, and engines that come back.
#include "tests/app/agents/pause_world.h"

#include <QTest>

#include <atomic>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
using hypervisor::FakeCall;
using hypervisor::MachineState;
namespace json = boost::json;

namespace {

// The next start stays where it looks at the image, until it is let go.
class HeldStart {
public:
    explicit HeldStart(PauseWorld& w) {
        w.services.bootFiles = [this, boot = w.services.bootFiles](const std::string& image, const auto& line) {
            m_there.set_value();
            m_go.get_future().wait();
            return boot(image, line);
        };
        m_started = std::async(std::launch::async, [&w] { return w.agent->start(quiet, {}); });
        if (m_there.get_future().wait_for(60s) != std::future_status::ready) {
            qFatal("start does not begin");
        }
    }
    void letGo() { m_go.set_value(); }
    Result<bool> end() {
        if (m_started.wait_for(60s) != std::future_status::ready) {
            qFatal("start hangs");
        }
        return m_started.get();
    }

private:
    std::promise<void> m_there, m_go;
    std::future<Result<bool>> m_started;
};

template <class T> bool wasPausedInItsStart(const Result<T>& started) {
    return !started && started.error().code == ErrorCode::Cancelled &&
           started.error().text() == "the agent ann was paused while it started" &&
           started.error().hint == "It goes on with: carrel resume ann";
}

} // namespace

class TestAgentPauseLife : public QObject {
    Q_OBJECT
private slots:
    void pausedBeforeItHasAMachine();
    void pausedWhileItsGuestBoots();
    void resumedBeforeItsStartSawIt();
    void itsStartFailsAllTheSame();
    void pausedAgainAsItGoesOnStarting();
    void stopLosesNothing();
    void stopOfOneThatNeverCameUp();
    void stopWhereItCannotRun();
    void notWhileItIsStopped();
    void deletedWithItsWorkGivenUp();
    void deletedWhereNothingWaits_data();
    void deletedWhereNothingWaits();
    void engineFindsItPaused();
    void whyItWasPausedOutlivesTheEngine();
    void pausedForABudget();
    void engineFindsItPausedInItsStart();
    void engineEndsWhatItDiedOver_data();
    void engineEndsWhatItDiedOver();
};

// It gets its machine, which does not run one instruction.
void TestAgentPauseLife::pausedBeforeItHasAMachine() {
    PauseWorld w;
    w.watchResume();
    HeldStart start(w);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(w.agent->state() == AgentState::Paused);
    start.letGo();
    const auto started = start.end();
    QVERIFY2(wasPausedInItsStart(started), textOf(started));
    QVERIFY(w.paused());
    QVERIFY(w.takeSeen().empty());
    QCOMPARE(w.resume().value(), Resumed::Resumed); // and that is its start
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
    UniqueFd caller;
    QVERIFY(w.exec(caller));
    QVERIFY(w.stop().value_or(false));
}

// However long that takes, no verb waits for it.
void TestAgentPauseLife::pausedWhileItsGuestBoots() {
    PauseWorld w(true);
    w.clerks.on("hello", never);
    auto starting = std::async(std::launch::async, [&] { return w.agent->start(quiet, {}); });
    QTRY_COMPARE_WITH_TIMEOUT(w.clerks.count("hello"), 1U, 60'000);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(w.paused());
    QVERIFY(starting.wait_for(60s) == std::future_status::ready);
    const auto started = starting.get();
    QVERIFY2(wasPausedInItsStart(started), textOf(started));
    QVERIFY(w.paused());
    QCOMPARE(within(60s, "history", [&] { return w.agent->history({}, 10); }).size(), std::size_t{0});
    w.clerks.on("hello", {});
    w.clerks.dropAll(); // the clerk that was asked first keeps its silence
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

void TestAgentPauseLife::resumedBeforeItsStartSawIt() {
    PauseWorld w;
    HeldStart start(w);
    QCOMPARE(w.pause().value(), Paused::Paused);
    auto resuming = std::async(std::launch::async, [&] { return w.agent->resume(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Starting, 60'000);
    start.letGo();
    QVERIFY(start.end().value_or(false));
    QVERIFY(resuming.wait_for(60s) == std::future_status::ready);
    QCOMPARE(resuming.get().value(), Resumed::Resumed);
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

void TestAgentPauseLife::itsStartFailsAllTheSame() {
    PauseWorld w;
    w.world->failNextStart(Error{ErrorCode::LimitExceeded, "there is not enough memory", "", 0, nullptr});
    HeldStart start(w);
    QVERIFY(w.pause());
    start.letGo();
    QVERIFY(start.end().error().text().find("not enough memory") != std::string::npos);
    QVERIFY(w.agent->state() == AgentState::Failed);
    QCOMPARE(w.pause().value(), Paused::NotRunning);
    w.services.bootFiles = [&w](const std::string&, const auto&) -> Result<BootFiles> {
        return BootFiles{w.folder / "kernel", w.folder / "initrd", w.folder / "base", "quiet"};
    };
    QVERIFY(w.start().value_or(false));
    QVERIFY(w.agent->state() == AgentState::Ready);
}

void TestAgentPauseLife::pausedAgainAsItGoesOnStarting() {
    PauseWorld w;
    HeldStart start(w);
    QVERIFY(w.pause());
    start.letGo();
    QVERIFY(wasPausedInItsStart(start.end()));
    w.clerks.on("hello", never);
    auto resuming = std::async(std::launch::async, [&] { return w.agent->resume(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(w.clerks.count("hello") > 0, 60'000);
    QVERIFY(w.agent->state() == AgentState::Starting && w.machine() == MachineState::Running);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(resuming.wait_for(60s) == std::future_status::ready);
    QVERIFY(resuming.get());
    QVERIFY(w.paused());
    // Nobody waits for it any more: its machine is left alone.
    std::stop_source gone;
    resuming = std::async(std::launch::async, [&] { return w.agent->resume(quiet, gone.get_token()); });
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Starting, 60'000);
    gone.request_stop();
    QVERIFY(resuming.wait_for(60s) == std::future_status::ready);
    QVERIFY(!resuming.get());
    QVERIFY(w.machine() == MachineState::Running);
    w.clerks.on("hello", {});
    w.clerks.dropAll();
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Ready, 60'000);
}

// It runs once more, to end what runs in it and to count what waits for review, and for nothing else.
void TestAgentPauseLife::stopLosesNothing() {
    PauseWorld w(true);
    QVERIFY(w.start());
    w.watchResume();
    QVERIFY(w.pause());
    w.stagedAtEnd = 3;
    std::optional<MachineState> atEnd;
    w.clerks.on("power.off", [&](const json::object&) {
        w.see("power.off");
        atEnd = w.machine();
        (void)w.world->end(w.machineId(), hypervisor::ExitReason::GuestShutdown).has_value();
        return json::object{{"staged", {{{"share", 1}, {"staged", 3}}}}};
    });
    const auto listed = w.clerks.count("changes.list");
    QVERIFY(w.stop().value_or(false));
    QCOMPARE(w.takeSeen(), (std::vector<std::string>{"clock", "resume", "power.off"}));
    QVERIFY(atEnd == MachineState::Running);
    QCOMPARE(w.clerks.count("changes.list"), listed);
    QVERIFY(w.agent->state() == AgentState::Stopped && !w.machine());
    QCOMPARE(w.kept().shares.at(0).staged, std::uint64_t{3});
    QVERIFY(!w.kept().unclean);
    w.clerks.on("power.off", {});
    QVERIFY(w.start().value_or(false)); // and is paused no more
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

void TestAgentPauseLife::stopOfOneThatNeverCameUp() {
    PauseWorld w(true);
    w.watchResume();
    HeldStart start(w);
    QVERIFY(w.pause());
    start.letGo();
    QVERIFY(!start.end());
    QVERIFY(w.stop().value_or(false));
    QVERIFY(w.agent->state() == AgentState::Stopped && !w.machine());
    QVERIFY(w.takeSeen().empty());
    QCOMPARE(w.clerks.count("power.off"), 0U);
    QVERIFY(!w.kept().unclean); // nobody has worked there since the last count
}

void TestAgentPauseLife::stopWhereItCannotRun() {
    PauseWorld w(true);
    QVERIFY(w.start());
    QVERIFY(w.pause());
    w.world->before(w.machineId(), FakeCall::Resume, []() -> Status { return fail(ErrorCode::Io, "the machine does not resume"); });
    QVERIFY(w.stop().value_or(false));
    QVERIFY(w.agent->state() == AgentState::Stopped && !w.machine());
    QVERIFY(w.kept().unclean); // nobody has counted
    const auto removed = w.agent->remove(Agent::Staged::Refuse, quiet);
    QVERIFY(!removed && removed.error().code == ErrorCode::Refused);
}

void TestAgentPauseLife::notWhileItIsStopped() {
    PauseWorld w;
    QVERIFY(w.start());
    std::atomic<bool> held = false;
    std::promise<void> go;
    auto gone = go.get_future().share();
    w.clerks.on("power.off", [&](const json::object&) {
        held = true;
        gone.wait();
        (void)w.world->end(w.machineId(), hypervisor::ExitReason::GuestShutdown).has_value();
        return json::object{{"staged", json::array{}}};
    });
    auto stopped = std::async(std::launch::async, [&] { return w.agent->stop(quiet); });
    QTRY_VERIFY_WITH_TIMEOUT(held, 60'000);
    const auto paused = w.pause();
    QVERIFY2(!paused && paused.error().code == ErrorCode::Refused &&
                 paused.error().text().find("is being stopped") != std::string::npos,
             textOf(paused));
    QVERIFY(w.machine() == MachineState::Running);
    go.set_value();
    QVERIFY(stopped.wait_for(60s) == std::future_status::ready);
    QVERIFY(stopped.get().value_or(false));
}

// Whoever had it paused, and wants nothing of it, has it run no more.
void TestAgentPauseLife::deletedWithItsWorkGivenUp() {
    PauseWorld w(true);
    QVERIFY(w.start());
    w.watchResume();
    QVERIFY(w.pause());
    QVERIFY(within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Discard, quiet); }));
    QVERIFY(!w.machine());
    QVERIFY(w.takeSeen().empty());
    QCOMPARE(w.clerks.count("power.off"), 0U);
    QVERIFY(!std::filesystem::exists(w.services.agentsFolder / w.agent->id()));
}

void TestAgentPauseLife::deletedWhereNothingWaits_data() {
    QTest::addColumn<int>("waits");
    QTest::newRow("nothing waits") << 0;
    QTest::newRow("something does") << 1;
}

void TestAgentPauseLife::deletedWhereNothingWaits() {
    QFETCH(int, waits);
    PauseWorld w(true);
    QVERIFY(w.start());
    QVERIFY(w.pause());
    w.stagedAtEnd = static_cast<std::uint64_t>(waits);
    const auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QCOMPARE(removed.has_value(), waits == 0);
    QVERIFY(!w.machine());
    QCOMPARE(std::filesystem::exists(w.services.agentsFolder / w.agent->id()), waits != 0);
}

// Where it was not the owner who paused it, that is told as long as it stands, and so is the owner.
void TestAgentPauseLife::whyItWasPausedOutlivesTheEngine() {
    PauseWorld w(true);
    std::mutex mutex;
    std::vector<Alarm> alarms;
    w.services.alarm = [&](const std::string&, Alarm what) {
        const std::lock_guard lock(mutex);
        alarms.push_back(what);
    };
    const auto told = [&] {
        const std::lock_guard lock(mutex);
        return std::exchange(alarms, {});
    };
    const auto reason = [&] {
        const auto of = w.agent->describe();
        return of.contains("reason") ? std::string(of.at("reason").as_string()) : std::string();
    };
    QVERIFY(w.start());
    QCOMPARE(w.agent->pause(Pauser::Canary, "it sent a canary").value(), Paused::Paused);
    QCOMPARE(reason(), std::string("it sent a canary"));
    QCOMPARE(w.states().back().detail.at("by"), boost::json::value("canary"));
    w.restartEngine();
    QVERIFY(w.paused());
    QCOMPARE(reason(), std::string("it sent a canary"));
    QCOMPARE(told(), (std::vector{Alarm::Over, Alarm::CanaryLeft})); // with that engine it was over, and this one says it anew
    QCOMPARE(w.pause().value(), Paused::WasPaused);
    QCOMPARE(reason(), std::string("it sent a canary")); // the owner's word takes nothing back
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QCOMPARE(told(), std::vector{Alarm::Over});
    QVERIFY(reason().empty());
    QVERIFY(w.pause());
    w.restartEngine();
    QVERIFY(w.paused() && reason().empty() && told().empty());
    // One that the owner had paused already. So the log says, too.
    QCOMPARE(w.agent->pause(Pauser::Canary, "it had sent a canary").value(), Paused::WasPaused);
    QCOMPARE(reason(), std::string("it had sent a canary"));
    QCOMPARE(w.states().back().detail.at("by"), boost::json::value("canary"));
    QCOMPARE(w.agent->pause(Pauser::Canary, "and another").value(), Paused::WasPaused);
    QCOMPARE(reason(), std::string("it had sent a canary")); // the first is what it was paused for
    w.restartEngine();
    QCOMPARE(told(), (std::vector{Alarm::Over, Alarm::CanaryLeft}));
    QVERIFY(w.stop());
    QCOMPARE(told(), std::vector{Alarm::Over});
    QVERIFY(reason().empty());
}

// A budget is no canary: it raises no alarm, in this engine or the next, and takes nobody's reason away.
void TestAgentPauseLife::pausedForABudget() {
    PauseWorld w(true);
    std::mutex mutex;
    std::vector<Alarm> alarms;
    w.services.alarm = [&](const std::string&, Alarm what) {
        const std::lock_guard lock(mutex);
        alarms.push_back(what);
    };
    const auto told = [&] {
        const std::lock_guard lock(mutex);
        return std::exchange(alarms, {});
    };
    const auto said = [&](const char* what) {
        const auto of = w.agent->describe();
        return of.contains(what) ? std::string(of.at(what).as_string()) : std::string();
    };
    QVERIFY(w.start());
    QCOMPARE(w.agent->pause(Pauser::Budget, "5 dollars are used up").value(), Paused::Paused);
    QCOMPARE(said("reason"), std::string("5 dollars are used up"));
    QCOMPARE(said("paused_by"), std::string("budget"));
    QCOMPARE(w.states().back().detail.at("by"), json::value("budget"));
    QCOMPARE(w.states().back().detail.at("why"), json::value("5 dollars are used up"));
    w.restartEngine();
    QVERIFY(w.paused());
    QCOMPARE(said("reason"), std::string("5 dollars are used up"));
    QCOMPARE(said("paused_by"), std::string("budget"));
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QVERIFY(said("paused_by").empty());
    QVERIFY(told().empty());
    // The owner's pause, and a canary's, stay what they are.
    QVERIFY(w.pause());
    QCOMPARE(w.agent->pause(Pauser::Budget, "5 dollars are used up").value(), Paused::WasPaused);
    QVERIFY(said("reason").empty());
    QCOMPARE(said("paused_by"), std::string("owner"));
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QCOMPARE(w.agent->pause(Pauser::Canary, "it sent a canary").value(), Paused::Paused);
    QCOMPARE(w.agent->pause(Pauser::Budget, "5 dollars are used up").value(), Paused::WasPaused);
    QCOMPARE(said("reason"), std::string("it sent a canary"));
    QCOMPARE(said("paused_by"), std::string("canary"));
    QCOMPARE(w.states().back().detail.at("by"), json::value("canary"));
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QCOMPARE(told(), std::vector{Alarm::Over});
}

// Whether its guest answers or not.
void TestAgentPauseLife::engineFindsItPaused() {
    PauseWorld w(true);
    QVERIFY(w.start());
    QVERIFY(w.pause());
    w.clerks.on("hello", never);
    w.watchResume();
    w.services.patience.takeOver = 1h; // nobody waits for it
    w.restartEngine();
    QVERIFY(w.paused());
    QVERIFY(w.takeSeen().empty());
    UniqueFd caller;
    QVERIFY(saysPaused(w.exec(caller)));
    // A folder is taken from it all the same.
    QVERIFY(within(60s, "share revoke", [&] { return w.agent->revokeShare("papers"); }));
    w.restartEngine();
    QVERIFY(w.paused());
    w.clerks.on("hello", {});
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QCOMPARE(w.takeSeen(), (std::vector<std::string>{"clock", "resume"})); // its hello brings the time once more
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
    QVERIFY(w.exec(caller));
    QVERIFY(w.pause());
    w.restartEngine();
    w.stagedAtEnd = 2;
    QVERIFY(w.stop().value_or(false)); // it may have worked before this engine came
    QCOMPARE(w.kept().shares.at(0).staged, std::uint64_t{2});
    QVERIFY(!w.kept().unclean);
}

void TestAgentPauseLife::engineFindsItPausedInItsStart() {
    PauseWorld w;
    HeldStart start(w);
    QVERIFY(w.pause());
    start.letGo();
    QVERIFY(wasPausedInItsStart(start.end()));
    w.restartEngine();
    QVERIFY(w.paused());
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

void TestAgentPauseLife::engineEndsWhatItDiedOver_data() {
    QTest::addColumn<QString>("noted"); // last
    QTest::addColumn<bool>("still");    // its machine
    QTest::addColumn<bool>("paused");   // when it was taken over
    QTest::newRow("between the owner's word and the deed") << "paused" << false << true;
    QTest::newRow("the same when it was to be resumed") << "resuming" << true << true;
    QTest::newRow("paused with a full disk, or by another program") << "" << true << true;
    QTest::newRow("made, and nobody has let it run yet") << "starting" << true << false;
    QTest::newRow("nothing of the kind") << "" << false << false;
}

void TestAgentPauseLife::engineEndsWhatItDiedOver() {
    QFETCH(QString, noted);
    QFETCH(bool, still);
    QFETCH(bool, paused);
    PauseWorld w;
    QVERIFY(w.start());
    if (!noted.isEmpty()) {
        w.noteState(noted.toUtf8().constData());
    }
    if (still) {
        const auto machines = w.backend->adopt(w.home);
        QVERIFY(machines && machines->front()->pause());
    }
    w.restartEngine();
    QCOMPARE(w.agent->state() == AgentState::Paused, paused);
    QVERIFY(w.machine() == (paused ? MachineState::Paused : MachineState::Running));
    w.restartEngine(); // what it found is known from now on
    QCOMPARE(w.agent->state() == AgentState::Paused, paused);
    QCOMPARE(w.resume().value(), paused ? Resumed::Resumed : Resumed::NotPaused);
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

QTEST_GUILESS_MAIN(TestAgentPauseLife)
#include "test_agent_pause_life.moc"
