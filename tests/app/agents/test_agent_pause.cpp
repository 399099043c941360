// SPDX-License-Identifier: Apache-2.0
// The brake. It stops the machine's processors at once, whatever a guest or another verb does; what was there goes on after it.
#include "tests/app/agents/pause_world.h"
#include "tests/app/agents/played_guest.h"

#include <QTest>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <poll.h>
#include <sys/resource.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
using hypervisor::FakeCall;
using hypervisor::MachineState;
namespace json = boost::json;

namespace {

// No file can grow any more.
class FullDisk {
public:
    FullDisk() {
        (void)std::signal(SIGXFSZ, SIG_IGN);
        (void)::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit none{0, m_before.rlim_max};
        (void)::setrlimit(RLIMIT_FSIZE, &none);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() { (void)::setrlimit(RLIMIT_FSIZE, &m_before); }

private:
    rlimit m_before{};
};

} // namespace

class TestAgentPause : public QObject {
    Q_OBJECT
private slots:
    void stopsTheProcessorsAndLetsThemGoOn();
    void isWrittenDownBefore();
    void aFullDiskKeepsNobodyFromIt();
    void theClockIsTheFirstThing();
    void waitsForNoGuest();
    void waitsForNoOtherVerb();
    void interruptedCopyIsNoReview();
    void commandsStay();
    void whatNeedsTheGuestIsRefusedAtOnce();
    void whatNeedsNoGuestGoesOn();
    void watchersAreTold();
    void aSilentMachineIsNoDeadOne();
    void itsClerkMayDie();
    void itsMachineMayDie();
    void theHypervisorMayFail();
    void oneThatDoesNotAnswerIsPaused();
    void oneThatRunsOnIsEnded();
};

// Whatever trick it knows: what uses a processor while it is paused is not paused. One that stands still stays.
void TestAgentPause::oneThatRunsOnIsEnded() {
    PauseWorld w;
    w.services.patience.pausedLook = 1ms;
    QVERIFY(w.start());
    QVERIFY(w.pause());
    activity::Query notes;
    notes.kinds = {activity::EventKind::EngineNote};
    const auto told = [&] {
        const auto found = w.agent->log().query(notes);
        return found && std::any_of(found->begin(), found->end(), [](const auto& each) {
            return each.event.subject.find("ran on although it was paused") != std::string::npos;
        });
    };
    const auto looks = w.world->looks(w.machineId());
    QTRY_VERIFY_WITH_TIMEOUT(w.world->looks(w.machineId()) > looks + 5, 60'000);
    QVERIFY(w.paused() && !told());
    w.world->runOn(w.machineId());
    QTRY_VERIFY_WITH_TIMEOUT(!w.machine(), 60'000);
    QTRY_VERIFY_WITH_TIMEOUT(told(), 60'000);
}

void TestAgentPause::stopsTheProcessorsAndLetsThemGoOn() {
    PauseWorld w;
    QCOMPARE(w.pause().value(), Paused::NotRunning);
    QCOMPARE(w.resume().value(), Resumed::NotPaused);
    QVERIFY(w.start());
    QCOMPARE(w.resume().value(), Resumed::NotPaused);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(w.paused());
    QVERIFY(w.agent->describe().at("state") == "paused");
    QCOMPARE(w.pause().value(), Paused::WasPaused);
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
    QVERIFY(w.stop().value_or(false));
    QCOMPARE(w.pause().value(), Paused::NotRunning);
    std::vector<std::string> told;
    for (const auto& each : w.states()) {
        told.push_back(each.subject);
        const bool owners = each.subject == "paused" || each.subject == "resuming";
        QCOMPARE(each.detail.contains("by") && each.detail.at("by") == "owner", owners);
    }
    QCOMPARE(told, (std::vector<std::string>{"starting", "ready", "paused", "resuming", "ready", "stopping", "stopped"}));
}

// I5
void TestAgentPause::isWrittenDownBefore() {
    PauseWorld w;
    QVERIFY(w.start());
    std::string atPause;
    std::string atResume;
    w.world->before(w.machineId(), FakeCall::Pause, [&]() -> Status {
        atPause = w.lastState();
        return {};
    });
    w.world->before(w.machineId(), FakeCall::Resume, [&]() -> Status {
        atResume = w.lastState();
        return {};
    });
    QVERIFY(w.pause());
    QCOMPARE(atPause, std::string("paused"));
    QVERIFY(w.resume());
    QCOMPARE(atResume, std::string("resuming"));
}

// It only takes something away. What gives it back waits until that can be written down.
void TestAgentPause::aFullDiskKeepsNobodyFromIt() {
    PauseWorld w;
    QVERIFY(w.start());
    {
        const FullDisk full;
        QCOMPARE(w.pause().value(), Paused::Paused);
        QVERIFY(w.paused());
        const auto resumed = w.resume();
        QVERIFY2(!resumed && resumed.error().text().find("log could not be written") != std::string::npos, textOf(resumed));
        QVERIFY(w.paused());
    }
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    const auto states = w.states();
    const auto paused = std::find_if(states.begin(), states.end(), [](const auto& each) { return each.subject == "paused"; });
    QVERIFY(paused != states.end() && paused->detail.contains("happened"));
}

void TestAgentPause::theClockIsTheFirstThing() {
    PauseWorld w;
    QVERIFY(w.start());
    w.watchResume();
    QVERIFY(w.pause());
    QVERIFY(w.takeSeen().empty());
    QVERIFY(w.resume());
    // Once more when its guest has answered: the first one is late by what letting it run took.
    QCOMPARE(w.takeSeen(), (std::vector<std::string>{"clock", "resume", "clock"}));
}

// A list, a hello that never come: the verb ends, and says why.
void TestAgentPause::waitsForNoGuest() {
    PauseWorld w(true);
    QVERIFY(w.start());
    std::atomic<bool> asked = false;
    w.clerks.on("changes.list", [&](const json::object&) -> StandInClerks::Answer {
        asked = true;
        return std::nullopt;
    });
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(asked, 60'000);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(w.paused());
    QVERIFY(frozen.wait_for(60s) == std::future_status::ready);
    const auto result = frozen.get();
    QVERIFY2(saysPaused(result, ErrorCode::Cancelled), textOf(result));
    w.clerks.on("changes.list", {});
    QVERIFY(w.resume());
    QVERIFY(w.agent->freeze(quiet, {}));
}

// It has the agent's turn, and does not come to its end.
void TestAgentPause::waitsForNoOtherVerb() {
    PauseWorld w(true);
    QVERIFY(w.start());
    std::filesystem::create_directory(w.folder / "more");
    std::atomic<bool> held = false;
    std::promise<void> go;
    auto gone = go.get_future().share();
    w.clerks.on("prepare", [&](const json::object&) {
        held = true;
        gone.wait();
        return json::object{{"landlock_abi", 1}, {"seccomp", true}};
    });
    auto added = std::async(std::launch::async, [&] { return w.agent->addShare({(w.folder / "more").string()}); });
    QTRY_VERIFY_WITH_TIMEOUT(held, 60'000);
    QCOMPARE(w.pause().value(), Paused::Paused); // or it hangs
    QVERIFY(w.paused());
    QVERIFY(added.wait_for(0s) != std::future_status::ready);
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QCOMPARE(w.pause().value(), Paused::Paused);
    go.set_value();
    QVERIFY(added.wait_for(60s) == std::future_status::ready);
    const auto share = added.get(); // it is shared, and comes into the machine when that goes on
    QVERIFY2(share, textOf(share));
}

// What was not copied any more must not be missing in a review that looks whole.
void TestAgentPause::interruptedCopyIsNoReview() {
    PauseWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    for (int i = 0; i < 5; ++i) {
        guest.write("f" + std::to_string(i), "text\n");
    }
    std::atomic<int> copied = 0;
    std::promise<void> go;
    auto gone = go.get_future().share();
    guest.beforeContent([&] {
        if (++copied == 3) {
            gone.wait();
        }
    });
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    QTRY_COMPARE_WITH_TIMEOUT(copied.load(), 3, 60'000);
    QVERIFY(w.pause());
    QVERIFY(frozen.wait_for(60s) == std::future_status::ready);
    const auto result = frozen.get();
    go.set_value();
    QVERIFY2(saysPaused(result, ErrorCode::Cancelled), textOf(result));
    QVERIFY(w.resume());
    const auto whole = w.agent->freeze(quiet, {});
    QVERIFY2(whole && whole->sets.at(0).entries.size() == 5, textOf(whole));
}

void TestAgentPause::commandsStay() {
    PauseWorld w(true);
    QVERIFY(w.start());
    UniqueFd caller;
    const auto session = w.exec(caller);
    QVERIFY(session);
    const auto clerks = w.clerks.count("prepare");
    QVERIFY(w.pause());
    pollfd ended{caller.get(), POLLIN, 0};
    QVERIFY2(::poll(&ended, 1, 0) == 0, "the command was ended");
    QVERIFY(w.resume());
    QVERIFY2(::poll(&ended, 1, 0) == 0, "the command was ended");
    QCOMPARE(w.clerks.count("prepare"), clerks); // nobody was put in their place
    UniqueFd another;
    QVERIFY(w.exec(another));
}

void TestAgentPause::whatNeedsTheGuestIsRefusedAtOnce() {
    PauseWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "text\n");
    const auto review = w.agent->freeze(quiet, {});
    QVERIFY(review && !review->id.empty());
    std::filesystem::create_directory(w.folder / "more");
    QVERIFY(w.pause());
    const auto asked = [&] {
        unsigned all = 0;
        for (const char* each : {"exec", "changes.list", "changes.discard", "content.copy", "hello", "power.off", "prepare"}) {
            all += w.clerks.count(each);
        }
        return all;
    };
    const auto before = asked();
    const auto written = w.agent->log().head().seq;
    UniqueFd caller;
    QVERIFY2(saysPaused(w.exec(caller)), "exec");
    QVERIFY(!caller);
    const NewShare more{(w.folder / "more").string()};
    QVERIFY2(saysPaused(within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); })), "changes");
    QVERIFY2(saysPaused(within(60s, "discard", [&] { return w.agent->discard(review->id, {}, quiet); })), "discard");
    QVERIFY2(saysPaused(within(60s, "share add", [&] { return w.agent->addShare(more); })), "share add");
    QVERIFY2(saysPaused(within(60s, "a folder that is asked for", [&] { return w.agent->mayAddShare(more); })), "mayAddShare");
    QVERIFY2(saysPaused(within(60s, "share mode", [&] { return w.agent->setShareMode("papers", ShareMode::ReadOnly); })), "share mode");
    QVERIFY2(saysPaused(w.start()), "start");
    const auto removed = within(60s, "share remove", [&] { return w.agent->removeShare("papers", Agent::Staged::Refuse); });
    QVERIFY(!removed && removed.error().text().find("is paused") != std::string::npos);
    QCOMPARE(asked(), before);
    QCOMPARE(w.agent->log().head().seq, written); // and nothing is told to have begun
    QVERIFY(w.paused());
}

void TestAgentPause::whatNeedsNoGuestGoesOn() {
    PauseWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "text\n");
    const auto review = w.agent->freeze(quiet, {});
    QVERIFY(review && !review->id.empty());
    QVERIFY(w.pause());
    QVERIFY(w.agent->openReview(review->id));
    const auto applied = within(60s, "apply", [&] { return w.agent->apply(review->id, {}, quiet); });
    QVERIFY2(applied && applied->made() == 1, textOf(applied));
    QCOMPARE(contentOf(w.share() / "a"), std::string("text\n"));
    const auto undone = within(60s, "undo", [&] { return w.agent->undo({}, quiet); });
    QVERIFY2(undone && undone->made() == 1, textOf(undone));
    QCOMPARE(w.agent->history({}, 10).size(), std::size_t{2});
    QVERIFY(w.agent->setShareMode("papers", ShareMode::Auto)); // who decides is none of the machine's business
    // Its folder is taken from it, by a clerk that could not even open it.
    const auto revoked = within(60s, "share revoke", [&] { return w.agent->revokeShare("papers"); });
    QVERIFY2(revoked && revoked->at("revoked").as_bool(), textOf(revoked));
    QCOMPARE(w.clerks.count("share.revoke"), 1U);
    QVERIFY(within(60s, "share remove", [&] { return w.agent->removeShare("papers", Agent::Staged::Discard); }));
    QVERIFY(w.paused());
    QVERIFY(w.resume());
    QVERIFY(w.agent->state() == AgentState::Ready);
}

void TestAgentPause::watchersAreTold() {
    PauseWorld w(true);
    QVERIFY(w.start());
    const auto next = [&](const std::string& mark) {
        return within(60s, "changes.wait", [&] { return w.agent->waitStaged(mark, {}); }).value();
    };
    const auto running = next("");
    QVERIFY(running.running);
    QVERIFY(w.pause());
    const auto paused = next(running.mark);
    QVERIFY(!paused.running);
    QVERIFY(w.resume());
    QCOMPARE(next(paused.mark).mark, running.mark);
}

// Neither does who looks after it take it for one, nor is anything asked of it meanwhile.
void TestAgentPause::aSilentMachineIsNoDeadOne() {
    PauseWorld w(true, ShareMode::Auto);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    QVERIFY(w.pause());
    w.world->stall(w.machineId());
    const auto listed = w.clerks.count("changes.list");
    const auto attached = w.clerks.count("attach");
    guest.write("a", "text\n");
    w.clerks.tell("changes.touched", {{"share", 1}});
    w.clerks.dropAll();
    // Who looks after it has looked twice, as there are two new clerks.
    QTRY_COMPARE_WITH_TIMEOUT(w.clerks.count("attach"), attached + 2, 60'000);
    QCOMPARE(w.clerks.count("changes.list"), listed);
    QVERIFY(w.paused());
    QVERIFY(w.resume());
    QTRY_VERIFY_WITH_TIMEOUT(std::filesystem::exists(w.share() / "a"), 120'000); // auto mode goes on
}

void TestAgentPause::itsClerkMayDie() {
    PauseWorld w(true);
    QVERIFY(w.start());
    QVERIFY(w.pause());
    const auto attached = w.clerks.count("attach");
    w.clerks.dropAll();
    QTRY_COMPARE_WITH_TIMEOUT(w.clerks.count("attach"), attached + 2, 60'000);
    QVERIFY(w.paused());
    UniqueFd caller;
    QVERIFY(saysPaused(w.exec(caller)));
    QVERIFY(w.resume());
    QVERIFY(w.exec(caller));
}

void TestAgentPause::itsMachineMayDie() {
    PauseWorld w;
    QVERIFY(w.start());
    QVERIFY(w.pause());
    QVERIFY(w.world->end(w.machineId(), hypervisor::ExitReason::Crashed));
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Failed, 60'000);
    QCOMPARE(w.resume().value(), Resumed::NotPaused);
    QCOMPARE(w.pause().value(), Paused::NotRunning);
    QVERIFY(w.start());
    QVERIFY(w.agent->state() == AgentState::Ready && w.machine() == MachineState::Running);
}

void TestAgentPause::theHypervisorMayFail() {
    PauseWorld w;
    QVERIFY(w.start());
    const auto fails = []() -> Status { return fail(ErrorCode::Unavailable, "libvirt cannot be reached"); };
    w.world->before(w.machineId(), FakeCall::Pause, fails);
    const auto paused = w.pause();
    QVERIFY2(!paused && paused.error().text().find("may run on") != std::string::npos, textOf(paused));
    QVERIFY(paused.error().hint.find("carrel stop ann") != std::string::npos);
    QVERIFY(w.agent->state() == AgentState::Ready);
    QCOMPARE(w.lastState(), std::string("ready")); // the log does not say that it is paused
    UniqueFd caller;
    QVERIFY(w.exec(caller));
    w.world->before(w.machineId(), FakeCall::Pause, {});
    QVERIFY(w.pause());
    w.world->before(w.machineId(), FakeCall::Resume, fails);
    const auto resumed = w.resume();
    QVERIFY2(!resumed && resumed.error().text().find("could not be resumed") != std::string::npos, textOf(resumed));
    QVERIFY(w.paused());
    QCOMPARE(w.lastState(), std::string("paused"));
    QVERIFY(saysPaused(w.exec(caller)));
    w.world->before(w.machineId(), FakeCall::Resume, {});
    QCOMPARE(w.resume().value(), Resumed::Resumed);
}

// It goes on from before the engine's restart, and nobody knows what it does: that one most of all.
void TestAgentPause::oneThatDoesNotAnswerIsPaused() {
    PauseWorld w;
    QVERIFY(w.start());
    w.clerks.on("hello", never);
    w.services.patience.takeOver = 1s;
    w.services.patience.stopping = 1s;
    w.restartEngine();
    QVERIFY(w.agent->state() == AgentState::Failed);
    QCOMPARE(w.pause().value(), Paused::Paused);
    QVERIFY(w.paused());
    QVERIFY(!w.agent->describe().contains("reason"));
    QVERIFY(w.resume());
    QVERIFY(w.agent->state() == AgentState::Failed && w.machine() == MachineState::Running);
    // While it is waited for once more, however patient that is.
    w.services.patience.takeOver = 1h;
    const auto asked = w.clerks.count("hello");
    auto started = std::async(std::launch::async, [&] { return w.agent->start(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(w.clerks.count("hello") > asked, 60'000);
    QVERIFY(w.pause());
    QVERIFY(started.wait_for(60s) == std::future_status::ready);
    const auto start = started.get();
    QVERIFY2(!start && start.error().hint == "It goes on with: carrel resume ann", textOf(start));
    QVERIFY(w.paused());
    w.clerks.on("hello", {});
    w.clerks.dropAll(); // the clerk that was asked first keeps its silence
    QCOMPARE(w.resume().value(), Resumed::Resumed);
    QVERIFY(w.agent->state() == AgentState::Ready);
}

QTEST_GUILESS_MAIN(TestAgentPause)
#include "test_agent_pause.moc"
