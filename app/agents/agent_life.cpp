// SPDX-License-Identifier: Apache-2.0
// Stopping, taking over and removing an agent's machine; its start is in agent_start.cpp.
#include "app/agents/agent.h"

#include <atomic>
#include <chrono>
#include <condition_variable>

namespace carrel::agents {

namespace fs = std::filesystem;
using activity::EventKind;
using Clock = std::chrono::steady_clock;

namespace {

// A guest that is asked to power off flushes its disk first; emulated and with a full cache that takes its time. After
// this the power is cut: nothing of the user's is on that disk alone but staged work, which ext4 keeps consistent.
constexpr std::chrono::seconds kPowerOffPatience{60};

} // namespace

void Agent::dropMachine() {
    watchNoMore();
    std::jthread supervisor;
    std::shared_ptr<hypervisor::Machine> machine;
    std::shared_ptr<Door> door;
    std::shared_ptr<egress::Egress> network;
    {
        const std::lock_guard lock(m_mutex);
        supervisor = std::move(m_supervisor);
        door = std::exchange(m_door, nullptr);
        network = std::exchange(m_network, nullptr);
        machine = std::exchange(m_machine, nullptr);
        m_sharesFailed.clear();
        m_watch.reset();
        m_startProgress = nullptr;
        m_paused = m_mayRun = m_booting = false;
    }
    alarmOver();
    tellChanged();
    if (supervisor.joinable()) {
        supervisor.request_stop();
        supervisor.join();
    }
    if (door) {
        door->close();
    }
    if (network) {
        network->stop();
    }
}

std::filesystem::path Agent::runtimeFolder() const {
    return m_services.runtimeFolder / id().substr(0, 8);
}

// Its machine is no more. What is in there is the window, which may be megabytes of this computer's memory.
void Agent::clearRuntime() {
    std::error_code ignored;
    fs::remove_all(runtimeFolder(), ignored);
}

Result<bool> Agent::stop(const Progress& progress) {
    const Turn turn(*this, Turn::Manner::Ending);
    return stopInTurn(progress);
}

// One that is paused has to run once more, so that nothing staged is lost; but not for longer than it takes to end what runs in
// it. One that has not come up has nothing to lose.
Result<bool> Agent::stopInTurn(const Progress& progress, IfPaused ifPaused) {
    std::shared_ptr<hypervisor::Machine> machine;
    {
        const std::lock_guard lock(m_mutex);
        machine = m_machine;
    }
    if (!machine) {
        return false;
    }
    if (!noteOwing(EventKind::VmState, "stopping")) { // a full disk is no reason to let it run on, and may be its doing
        progress("log", "The activity log cannot be written; the agent is stopped all the same");
    }
    auto brake = takeBrake();
    tellChanged();
    bool clean = false;
    bool counted = true; // if not, delete asks for more than the last count
    auto atDoor = door();
    if (brake.booting || (brake.paused && ifPaused == IfPaused::Cut)) {
        atDoor = nullptr;
    } else if (brake.paused) {
        progress("resume", "Letting the machine run, so that it can end what runs in it");
        silenceNetwork(); // whatever it was about to send when it was paused
        if (auto runs = runOn(*machine, atDoor.get()); runs) {
            brake.paused = false;
            (void)(atDoor && atDoor->awaitHello({}, m_services.patience.stopping));
        } else {
            m_services.complain(name() + ": " + runs.error().text());
            atDoor = nullptr;
            counted = false;
        }
    } else if (atDoor) {
        progress("staged", "Counting what waits for review");
        for (const auto& share : record().shares) {
            if (auto listed = listChanges(*atDoor, share, {}, m_services.patience.stopping); !listed) {
                counted = false;
                break;
            }
        }
    }
    if (atDoor) {
        progress("power-off", "Asking the machine to power off");
        // It counts once more, which may mean to read much of what is staged.
        const auto off = atDoor->request("power.off", {}, {}, {}, 3 * m_services.patience.stopping);
        counted = off && rememberLast(*off) && counted;
        clean = off && machine->waitStopped(kPowerOffPatience).value_or(false);
    }
    if (!clean) {
        progress("cut", atDoor ? "It does not power off; cutting the power" : "Cutting the power");
        if (auto cut = machine->stop(); !cut) {
            putBack(brake);
            settleNetwork();
            return fail(std::move(cut).error());
        }
    }
    dropMachine();
    clearRuntime();
    auto stopped = record();
    stopped.running = false;
    stopped.unclean = brake.booting ? stopped.unclean : !clean || !counted;
    const auto session = std::exchange(stopped.session, {});
    if (auto saved = saveRecordOwing(stopped); !saved) { // the next start of the engine finds that it does not run
        m_services.complain(name() + ": " + saved.error().text());
    }
    tellSessionEnded(session);
    setState(AgentState::Stopped);
    return true;
}

void Agent::takeOver(std::unique_ptr<hypervisor::Machine> machine) {
    const std::lock_guard operation(m_operation);
    if (!machine) {
        auto lost = record();
        if (lost.running) {
            lost.running = false;
            lost.unclean = true;
            const auto session = std::exchange(lost.session, {});
            (void)saveRecord(lost).has_value();
            tellSessionEnded(session);
            setState(AgentState::Failed, "The machine ended while the engine was away");
        }
        return;
    }
    {
        const std::lock_guard lock(m_mutex);
        m_machine = std::move(machine);
    }
    makeDoor();
    if (takeOverPaused()) {
        return;
    }
    noteAfter(EventKind::EngineNote, "took over the running machine");
    (void)settleTakeOver(awaken([](std::string_view, std::string_view) {}, {})).has_value();
}

// No start, so there is a time limit: the engine serves no agent before it, and signs of life do not prolong it.
Result<Agent::Came> Agent::awaken(const Progress& progress, std::stop_token stop) {
    {
        const std::lock_guard lock(m_mutex);
        m_state = AgentState::Starting;
        m_watch.emplace(Clock::now());
        m_lateGreeting = {};
    }
    tellChanged();
    if (!door()->alive()) {
        CARREL_TRY(putClerk());
    }
    // The last engine may have died between making the machine and letting it run.
    const auto ran = letRun();
    if (!ran || !*ran) {
        return ran ? Result<Came>(Came::Paused) : fail(ran.error());
    }
    std::stop_source enough;
    const std::stop_callback whenAsked(std::move(stop), [&] { enough.request_stop(); });
    std::atomic<bool> late = false;
    std::mutex mutex;
    std::condition_variable_any never;
    const std::jthread clock([&](std::stop_token done) {
        std::unique_lock lock(mutex);
        (void)never.wait_for(lock, done, m_services.patience.takeOver, [] { return false; });
        if (!done.stop_requested()) {
            late = true;
            enough.request_stop();
        }
    });
    auto ready = waitReady(progress, enough.get_token());
    if (!ready && late) {
        return fail(ErrorCode::Expired, "it has not answered for " +
                                            std::to_string(m_services.patience.takeOver.count()) + " seconds");
    }
    return ready;
}

// The machine is left alone where it does not answer: what runs in it is the user's, and may only be slow. The supervisor
// goes on asking; start() asks again; stop() cuts the power.
Result<Agent::Came> Agent::settleTakeOver(Result<Came> taken) {
    const auto state = m_machine->state();
    if (!taken && state && *state == hypervisor::MachineState::Stopped) {
        machineEnded();
        return taken;
    }
    if (taken && *taken == Came::Ready) {
        setState(AgentState::Ready);
    } else if (!taken) {
        m_services.complain(name() + ": " + taken.error().text());
        auto unknown = record();
        unknown.unclean = true; // nobody can count what waits for review
        (void)saveRecord(unknown).has_value();
        setState(AgentState::Failed, "Its machine goes on, but it could not be reached: " + taken.error().text());
        taken = fail(taken.error().wrap("The agent's machine runs, but it could not be reached",
                                        "Wait a little and start it again, or end it with: carrel stop " + name()));
    }
    {
        const std::lock_guard lock(m_mutex);
        m_watch.reset();
        m_startProgress = nullptr;
    }
    superviseFromNow();
    return taken;
}

// In the place of whoever looked after a machine before.
void Agent::superviseFromNow() {
    {
        std::jthread before; // joined when the lock is let go: it needs the lock to wake up
        const std::lock_guard lock(m_mutex);
        before = std::move(m_supervisor);
        m_supervisor = std::jthread([this](std::stop_token token) { superviseUntil(token); });
    }
    watchPrograms();
}

bool Agent::runs() const {
    const std::lock_guard lock(m_mutex);
    return m_machine != nullptr;
}

void Agent::leave() {
    dropMachine();
    endRecordings();
}

Status Agent::remove(Staged staged, const Progress& progress) {
    // One turn for all of it: nothing starts the machine again, or stages anything, after the last count.
    const Turn turn(*this, staged == Staged::Discard ? Turn::Manner::Ending : Turn::Manner::Patient);
    CARREL_TRY(refuseStaged(std::nullopt, staged));
    // One that is paused, with all that it staged given up, runs no more.
    if (auto stopped = stopInTurn(progress, staged == Staged::Discard ? IfPaused::Cut : IfPaused::LetRun); !stopped) {
        return fail(std::move(stopped).error());
    }
    CARREL_TRY(refuseStaged(std::nullopt, staged)); // what its programs wrote on their way out
    endRecordings();
    CARREL_TRY(note(EventKind::AgentDeleted, name()));
    progress("delete", "Removing the agent's disk and history");
    // The record first: without it the folder is no agent any more, whatever happens in between.
    std::error_code error;
    fs::remove(file("agent.json"), error);
    // The stores stay open: a caller may be following the log, or wait with a verb for this one to end.
    fs::remove_all(m_folder, error);
    if (error) {
        return fail(Error{ErrorCode::Io, "removing the agent's folder " + m_folder.string() + ": " + error.message(),
                          "Remove that folder by hand", error.value(), nullptr});
    }
    return {};
}

} // namespace carrel::agents
