// SPDX-License-Identifier: Apache-2.0
// The brake. Whoever pauses an agent takes m_brake alone, and so waits for no verb of that agent, and for no guest.
#include "app/agents/agent.h"

#include <chrono>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;
using hypervisor::MachineState;

namespace {

using Clock = std::chrono::steady_clock;

// A paused machine's process uses less than one part of a hundred; so many looks in a row at more than one in twenty, and it runs.
constexpr int kPausedLoad = 20;
constexpr int kRanOnMost = 3;

json::object pausedDetail(Pauser who, const std::string& why) {
    json::object out{{"by", toString(who)}};
    if (!why.empty()) {
        out["why"] = why;
    }
    return out;
}

} // namespace

std::string_view toString(Pauser pauser) {
    switch (pauser) {
    case Pauser::Canary:
        return "canary";
    case Pauser::Budget:
        return "budget";
    case Pauser::Owner:
        break;
    }
    return kByOwner;
}

AgentState Agent::stateNow() const {
    return m_paused && m_state != AgentState::Stopping ? AgentState::Paused : m_state;
}

bool Agent::isPaused() const {
    return state() == AgentState::Paused;
}

Status Agent::refusePaused() const {
    return isPaused() ? Status(fail(pausedError(ErrorCode::Refused, name()))) : Status{};
}

Result<Agent::PauseOutcome> Agent::pause(Pauser who, const std::string& why) {
    const std::lock_guard brake(m_brake);
    bool canaryToo = false; // it was paused, for less
    {
        const std::lock_guard lock(m_mutex);
        if (m_state == AgentState::Stopping) {
            return fail(ErrorCode::Refused, "the agent " + m_record.name + " is being stopped",
                        "Its machine ends in a moment, or its power is cut");
        }
        if (m_paused && (who != Pauser::Canary || m_pausedBy.who == Pauser::Canary)) {
            return PauseOutcome::WasPaused;
        }
        if (m_paused) {
            m_pausedBy = {who, why};
            canaryToo = true;
        } else if (!m_machine && m_state != AgentState::Starting) {
            return PauseOutcome::NotRunning;
        }
    }
    // A full disk is no reason to let it run on, and may be its doing.
    (void)noteOwing(EventKind::VmState, std::string(toString(AgentState::Paused)), pausedDetail(who, why));
    if (canaryToo) {
        tellChanged();
        return PauseOutcome::WasPaused;
    }
    std::shared_ptr<hypervisor::Machine> machine;
    {
        const std::lock_guard lock(m_mutex);
        if (!m_machine && m_state != AgentState::Starting) {
            return PauseOutcome::NotRunning; // it ended by itself just now
        }
        m_paused = true;
        if (m_pausedBy.who != Pauser::Canary) { // one that could not be paused before
            m_pausedBy = {who, why};
        }
        machine = m_machine;
        if (m_door) {
            m_door->hold();
        }
    }
    const auto stopped = machine ? machine->pause() : Status{};
    if (!stopped) {
        AgentState goesOn = AgentState::Ready;
        {
            const std::lock_guard lock(m_mutex);
            m_paused = false;
            goesOn = m_state;
            if (m_door) {
                m_door->release();
            }
        }
        if (const auto now = machine->state(); now && *now == MachineState::Stopped) {
            return PauseOutcome::NotRunning;
        }
        noteAfter(EventKind::VmState, std::string(toString(goesOn)),
                  {{"reason", "it could not be paused: " + stopped.error().text()}});
        return fail(stopped.error().wrap("The agent " + name() + " could not be paused, and may run on",
                                         "End it with: carrel stop " + name()));
    }
    tellChanged();
    return PauseOutcome::Paused;
}

// On the supervisor's thread. That a machine is paused the hypervisor says; that it uses no processor the kernel does. A guest that has
// found a way to run on (it can put its machine to sleep just as it is paused, and be woken by a timer of its own) is ended.
void Agent::holdTheBrake(hypervisor::Machine& machine) {
    if (!isPaused()) {
        m_pausedUse.reset();
        m_ranOn = 0;
        return;
    }
    const auto now = Clock::now();
    if (m_pausedUse && now - m_pausedUse->at < m_services.patience.pausedLook) {
        return;
    }
    const auto activity = machine.activity();
    if (!activity) {
        return;
    }
    const auto before = std::exchange(m_pausedUse, PausedUse{now, activity->cpuTime});
    if (!before) {
        return;
    }
    const bool runs = activity->cpuTime - before->used > (now - before->at) / kPausedLoad;
    m_ranOn = runs ? m_ranOn + 1 : 0;
    if (m_ranOn < kRanOnMost || !isPaused()) {
        return;
    }
    m_ranOn = 0;
    noteAfter(EventKind::EngineNote, "the machine ran on although it was paused, so it was ended");
    if (auto ended = machine.stop(); !ended) {
        m_services.complain(name() + ": " + ended.error().text());
    }
}

// Its start has come so far that its machine may run. It does not where it was paused meanwhile.
Result<bool> Agent::letRun() {
    const std::lock_guard brake(m_brake);
    std::shared_ptr<hypervisor::Machine> machine;
    {
        const std::lock_guard lock(m_mutex);
        m_mayRun = true;
        machine = m_paused ? nullptr : m_machine;
    }
    if (!machine) {
        return false;
    }
    CARREL_TRY(machine->resume());
    return true;
}

// The time is on its way to the guest before its processors run: it is the first thing that they find.
Status Agent::runOn(hypervisor::Machine& machine, Door* at) {
    if (at != nullptr) {
        at->sendClock();
    }
    return machine.resume();
}

Result<bool> Agent::letGoOn() {
    const std::lock_guard brake(m_brake);
    if (!isPaused()) {
        return false;
    }
    CARREL_TRY(note(EventKind::VmState, "resuming", {{"by", kByOwner}}));
    std::shared_ptr<hypervisor::Machine> machine;
    std::shared_ptr<Door> at;
    AgentState goesOn = AgentState::Ready;
    {
        const std::lock_guard lock(m_mutex);
        m_paused = false;
        machine = m_mayRun ? m_machine : nullptr; // else its start lets it run
        at = m_door;
        goesOn = m_state;
        if (at) {
            at->release();
        }
    }
    if (const auto gone = machine ? runOn(*machine, at.get()) : Status{}; !gone) {
        {
            const std::lock_guard lock(m_mutex);
            m_paused = m_machine != nullptr; // it may have ended by itself
            if (m_door) {
                m_door->hold();
            }
        }
        noteAfter(EventKind::VmState, std::string(toString(AgentState::Paused)),
                  {{"reason", "it could not be resumed: " + gone.error().text()}});
        return fail(gone.error().wrap("The agent " + name() + " could not be resumed", "Try again, or end it with: carrel stop " + name()));
    }
    noteAfter(EventKind::VmState, std::string(toString(goesOn)), {{"resumed", true}});
    alarmOver();
    tellChanged();
    return true;
}

Result<Agent::ResumeOutcome> Agent::resume(const Progress& progress, std::stop_token stop) {
    const auto went = letGoOn();
    if (!went) {
        return fail(went.error());
    }
    if (!*went) {
        return ResumeOutcome::NotPaused;
    }
    std::shared_ptr<Door> at;
    bool starting = false;
    {
        const std::lock_guard lock(m_mutex);
        at = m_door;
        starting = m_state == AgentState::Starting;
    }
    if (starting) {
        CARREL_TRY(awaitStart(progress, std::move(stop)));
    } else if (at && at->awaitHello(std::move(stop), m_services.patience.stopping)) {
        at->sendClock(); // once more: letting it run took its time, and by so much the first one is late
        const std::lock_guard lock(m_mutex);
        m_tendDoor = true; // one that was given up may be ready now
        m_wake.notify_all();
    }
    return ResumeOutcome::Resumed;
}

// Its start ended when it was paused, or the engine came back while it was. A start that has not seen that it was paused goes on
// by itself: its turn ends first.
Status Agent::awaitStart(const Progress& progress, std::stop_token stop) {
    const std::lock_guard operation(m_operation);
    {
        const std::lock_guard lock(m_mutex);
        if (m_state != AgentState::Starting || m_paused || !m_machine) {
            return {};
        }
        m_watch.emplace(std::chrono::steady_clock::now());
        m_startProgress = progress;
        m_guestFailure.clear();
        m_lateGreeting = {};
    }
    progress("machine", "Its machine goes on; waiting for its answer");
    auto came = [&]() -> Result<Came> {
        if (!door()->alive()) {
            CARREL_TRY(putClerk());
        }
        return waitReady(progress, std::move(stop));
    }();
    const auto settled = settleTakeOver(std::move(came));
    return settled ? Status{} : fail(settled.error());
}

namespace {

// How the agent was when its log was last told of that, and who paused it, and why, if it was not the owner; none: it cannot be read.
struct LastState {
    std::string state, why;
    Pauser who = Pauser::Owner;
};
std::string wordIn(const json::object& detail, const char* name) {
    const auto* word = detail.if_contains(name);
    return word != nullptr && word->is_string() ? std::string(word->get_string()) : std::string();
}
std::optional<LastState> lastStateIn(activity::ActivityLog& log) {
    std::optional<LastState> last;
    activity::Query query;
    query.kinds = {EventKind::VmState};
    for (;;) {
        const auto page = log.query(query);
        if (!page) {
            return std::nullopt;
        }
        if (page->empty()) {
            return last;
        }
        const auto& event = page->back().event;
        const auto by = wordIn(event.detail, "by");
        last = LastState{event.subject, wordIn(event.detail, "why"),
                         by == toString(Pauser::Canary)   ? Pauser::Canary
                         : by == toString(Pauser::Budget) ? Pauser::Budget
                                                          : Pauser::Owner};
        query.afterSeq = page->back().seq;
    }
}

} // namespace

// The log says what the owner wanted, and the machine how it is. An engine that died between the word and the deed leaves a
// machine that runs, and it is paused now. One that stands still although the log knows of no pause was paused while that could
// not be written down, or by another program of the owner's: it is not for the engine to let it go on. But for one that was just
// made: nobody has let that run yet.
bool Agent::takeOverPaused() {
    const auto last = lastStateIn(*m_log);
    const auto stands = m_machine->state();
    const bool still = stands && *stands == MachineState::Paused;
    const bool wanted = last && last->state == toString(AgentState::Paused);
    if ((stands && *stands == MachineState::Stopped) || (!wanted && (!still || (last && last->state == toString(AgentState::Starting))))) {
        return false;
    }
    if (auto paused = still ? Status{} : m_machine->pause(); !paused) {
        (void)settleTakeOver(fail(paused.error().wrap("it was to be paused"))).has_value();
        return true;
    }
    {
        const std::lock_guard lock(m_mutex);
        m_paused = m_mayRun = true;
        m_pausedBy = wanted ? PausedBy{last->who, last->why} : PausedBy();
        m_state = AgentState::Starting; // nobody has greeted its guest
        m_door->hold();
    }
    noteAfter(EventKind::EngineNote, "took over the paused machine");
    if (!wanted) {
        noteAfter(EventKind::VmState, std::string(toString(AgentState::Paused)), {{"found", true}});
    } else if (last->who == Pauser::Canary) {
        alarm(Alarm::CanaryLeft);
    }
    if (auto put = putClerk(); !put) { // whoever looks after it tries again
        m_services.complain(name() + ": " + put.error().text());
    }
    superviseFromNow();
    return true;
}

// From here on nobody pauses it, or lets it run.
Agent::Brake Agent::takeBrake() {
    const std::lock_guard brake(m_brake);
    const std::lock_guard lock(m_mutex);
    const Brake found{m_state, m_paused, m_booting};
    m_state = AgentState::Stopping;
    m_paused = false;
    if (m_door) {
        m_door->callOn();
        m_door->release();
    }
    return found;
}

// It could not be stopped.
void Agent::putBack(const Brake& brake) {
    {
        const std::lock_guard lock(m_mutex);
        m_state = brake.state;
        m_paused = brake.paused;
        if (m_paused && m_door) {
            m_door->hold();
        }
    }
    noteAfter(EventKind::VmState, std::string(toString(state())), {{"reason", "it could not be stopped"}});
    tellChanged();
}

} // namespace carrel::agents
