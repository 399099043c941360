// SPDX-License-Identifier: Apache-2.0
// Starting an agent's machine, and waiting until it is ready or has failed with a reason.
#include "app/agents/agent.h"

#include "guest/protocol/strict_json.h"

#include <chrono>

namespace carrel::agents {

namespace fs = std::filesystem;
namespace json = boost::json;
using activity::EventKind;
using activity::Provenance;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kWatchPeriod{250};
// Its channels close a moment before the end of its process is known.
constexpr std::chrono::seconds kEndPatience{5};

Error pausedInItsStart(const std::string& agent) {
    return Error{ErrorCode::Cancelled, "the agent " + agent + " was paused while it started", "It goes on with: carrel resume " + agent, 0,
                 nullptr};
}

std::string stepWords(std::string_view step) {
    const auto words = describeStep(step);
    return words.empty() ? "starting" : std::string(words);
}

std::string lastLines(const std::string& text, std::size_t count) {
    std::size_t at = text.size();
    for (std::size_t lines = 0; at > 0 && lines <= count; --at) {
        lines += text[at - 1] == '\n' ? 1 : 0;
    }
    return text.substr(at);
}

} // namespace

Result<bool> Agent::start(const Progress& progress, std::stop_token stop) {
    const std::lock_guard operation(m_operation);
    CARREL_TRY(refusePaused());
    if (state() == AgentState::Ready) {
        return false;
    }
    {
        // That of a machine that ended by itself. Joined after the lock is let go: it needs the lock to wake up.
        std::jthread before;
        const std::lock_guard lock(m_mutex);
        before = std::move(m_supervisor);
    }
    std::unique_lock brake(m_brake); // so that the log tells of a start and a pause in their order
    CARREL_TRY(refusePaused());
    if (runs()) { // it did not answer when the engine came back
        CARREL_TRY(note(EventKind::VmState, "starting", {{"runs_already", true}}));
        brake.unlock();
        progress("machine", "Its machine runs already; waiting for its answer");
        const auto came = settleTakeOver(awaken(progress, std::move(stop)));
        if (!came) {
            return fail(came.error());
        }
        return *came == Came::Ready ? Result<bool>(true) : fail(pausedInItsStart(name()));
    }
    auto starting = record();
    starting.running = true;
    starting.session = newSession();
    CARREL_TRY(note(EventKind::VmState, "starting", {{"memory_mib", starting.memoryMib}, {"cpus", starting.cpus}}));
    CARREL_TRY(saveRecord(starting));
    {
        const std::lock_guard lock(m_mutex);
        m_state = AgentState::Starting;
        m_booting = true;
        m_failure.clear();
    }
    brake.unlock(); // from here on it can be paused
    tellChanged();
    auto up = bringUp(progress, stop);
    if (up && *up == Came::Paused) {
        superviseFromNow();
        return fail(pausedInItsStart(name()));
    }
    if (up) {
        setState(AgentState::Ready);
        superviseFromNow();
        return true;
    }
    const Error error = up.error();
    bool ended = true;
    if (auto machine = [&] {
            const std::lock_guard lock(m_mutex);
            return m_machine;
        }()) {
        ended = machine->stop().has_value();
    }
    dropMachine();
    if (ended) { // else its process still has what is in there
        clearRuntime();
    }
    auto failed = record();
    failed.running = false;
    const auto session = std::exchange(failed.session, {});
    (void)saveRecord(failed).has_value();
    tellSessionEnded(session);
    setState(AgentState::Failed, error.text());
    return fail(error);
}

Result<Agent::Came> Agent::bringUp(const Progress& progress, std::stop_token stop) {
    const auto line = [&](std::string_view text) { progress("image", text); };
    progress("image", "Checking the image");
    const auto wanted = record();
    auto boot = m_services.bootFiles(wanted.image, line);
    if (!boot) {
        return fail(std::move(boot).error());
    }
    progress("host", "Finding out how machines run here");
    auto accelerator = m_services.accelerator(line);
    if (!accelerator) {
        return fail(std::move(accelerator).error());
    }
    const auto id = hypervisor::AgentId::parse(wanted.id);
    if (!id) {
        return fail(id.error());
    }
    hypervisor::MachineSpec spec{{m_services.home, *id}};
    spec.memory.value = wanted.memoryMib;
    spec.cpus = wanted.cpus;
    spec.kernel = boot->kernel;
    spec.initrd = boot->initrd;
    spec.commandLine = boot->commandLine;
    spec.disk = hypervisor::DiskSpec{boot->base, file("disk.qcow2")};
    spec.window.emplace();
    spec.runtimeFolder = runtimeFolder();
    spec.accelerator = *accelerator;
    progress("machine", "Starting the machine");
    auto machine = m_services.backend->create(spec);
    if (!machine) {
        return fail(std::move(machine).error());
    }
    // A new life of the machine, so new node ids.
    std::error_code ignored;
    fs::remove_all(file("nodes"), ignored);
    CARREL_TRY((*machine)->start());
    {
        const std::lock_guard lock(m_mutex);
        m_machine = std::move(*machine);
    }
    auto runs = record();
    runs.accelerator = hypervisor::toString(*accelerator);
    CARREL_TRY(saveRecord(runs));
    makeDoor();
    CARREL_TRY(putClerk());
    {
        const std::lock_guard lock(m_mutex);
        m_watch.emplace(Clock::now());
        m_startProgress = progress;
        m_guestFailure.clear();
    }
    const auto ran = letRun();
    auto ready = !ran ? Result<Came>(fail(ran.error())) : *ran ? waitReady(progress, stop) : Came::Paused;
    const std::lock_guard lock(m_mutex);
    m_startProgress = nullptr;
    m_watch.reset();
    return ready;
}

void Agent::makeDoor() {
    std::error_code ignored;
    fs::create_directory(file("nodes"), ignored);
    const auto of = record();
    const std::weak_ptr<Agent> weak = weak_from_this();
    if (const auto own = credentials()) {
        own->newMachine();
    }
    const auto network = openNetwork();
    {
        const std::lock_guard ordering(m_programs.mutex);
        m_programs.orders.reset();
    }
    auto door = std::make_shared<Door>(
        *m_machine, Door::Setup{of.id, of.name, m_services.clerkProgram, file("nodes"), kHiddenNames,
                                static_cast<bool>(m_services.programOrders), network},
        Door::Events{[weak](const std::string& method, const json::object& params) {
                         if (const auto self = weak.lock()) {
                             self->told(method, params);
                         }
                     },
                     [weak](const json::object& params) -> Status {
                         const auto self = weak.lock();
                         return self ? self->recordReads(params) : fail(ErrorCode::Unavailable, "the agent is gone");
                     },
                     [weak](const std::string& how) {
                         if (const auto self = weak.lock()) {
                             self->noteAfter(EventKind::ClerkState, "ended", {{"how", how}});
                             const std::lock_guard lock(self->m_mutex);
                             self->m_clerkGone = true;
                             self->m_wake.notify_all();
                         }
                     },
                     [weak] {
                         if (const auto self = weak.lock()) {
                             const std::lock_guard lock(self->m_mutex);
                             self->m_tendDoor = true;
                             self->m_wake.notify_all();
                         }
                     },
                     [weak](const ask::Question& question, AnswerAsk answer) {
                         if (const auto self = weak.lock()) {
                             self->asked(question, std::move(answer));
                         }
                     }});
    {
        const std::lock_guard lock(m_mutex);
        m_door = std::move(door);
        m_network = network;
        m_stagesTold.clear();
        if (m_insisting > 0) {
            m_door->callOff();
        }
        if (m_paused) {
            m_door->hold();
        }
        m_clerkGone = false;
        m_tendDoor = false;
    }
    settleNetwork();
}

Status Agent::putClerk() {
    {
        const std::lock_guard lock(m_mutex);
        m_cutSince = false;
    }
    std::vector<std::string> missing;
    const auto shares = openShares(missing);
    for (const auto& each : missing) {
        noteAfter(EventKind::EngineNote, "a shared folder is not there", {{"share", each}});
    }
    {
        const std::lock_guard lock(m_mutex);
        m_clerkGone = false;
        m_sharesFailed.clear(); // the new one tells what it finds
    }
    tellChanged();
    auto jail = door()->renew(shares, certificate());
    if (!jail) {
        return fail(std::move(jail).error());
    }
    noteAfter(EventKind::ClerkState, "at the door",
              {{"pid", jail->pid}, {"landlock_abi", jail->landlockAbi}, {"seccomp", true}, {"shares", shares.size()}});
    return {};
}

Result<Agent::Came> Agent::waitReady(const Progress& progress, std::stop_token stop) {
    const auto lastStep = [this] {
        const std::lock_guard lock(m_mutex);
        return m_watch->lastStep();
    };
    auto greeting = door()->hello();
    for (;;) {
        if (greeting.wait_for(kWatchPeriod) == std::future_status::ready) {
            auto answer = greeting.get();
            if (answer) {
                const auto told = tellProgramsAtStart(stop);
                if (isPaused()) {
                    return Came::Paused;
                }
                if (told) {
                    return Came::Ready;
                }
                answer = fail(told.error());
            }
            if (answer.error().code != ErrorCode::Unavailable) {
                return fail(answer.error().wrap("The agent's machine came up but did not get ready"));
            }
            if (door()->alive() && m_machine->waitStopped(kEndPatience).value_or(false)) {
                return fail(explainStop(lastStep())); // the clerk told of it first
            }
            // The clerk died under us: another one goes on where it stopped.
            if (!mayReplaceClerk()) {
                return fail(answer.error().wrap("One clerk after another broke at this machine's door"));
            }
            CARREL_TRY(putClerk());
            greeting = door()->hello();
            continue;
        }
        const auto [ending, cutSince] = [this] {
            const std::lock_guard lock(m_mutex);
            return std::pair(m_ending > 0, m_cutSince);
        }();
        if (stop.stop_requested() || ending) {
            return fail(ErrorCode::Cancelled, "the start was called off");
        }
        if (isPaused()) { // no turn lasts as long as that may
            return Came::Paused;
        }
        if (cutSince) { // who took the folder away waits for its turn, and the clerk that can open it must not outlive that
            recordCuts();
            CARREL_TRY(putClerk());
            greeting = door()->hello();
            continue;
        }
        const auto state = m_machine->state();
        const auto now = Clock::now();
        if (state && *state == hypervisor::MachineState::Stopped) {
            return fail(explainStop(lastStep()));
        }
        const auto used = m_machine->activity();
        std::optional<StartWatch::Stall> stall;
        std::optional<StartWatch::Stall> quiet;
        {
            const std::lock_guard lock(m_mutex);
            if (used) {
                m_watch->processor(used->cpuTime, now);
            }
            stall = m_watch->stalled(now);
            quiet = m_watch->quiet(now);
        }
        if (quiet && !stall) {
            progress(quiet->step, "Still waiting: nothing new for " + std::to_string(quiet->silent.count()) + " seconds while " +
                                      stepWords(quiet->step) + (quiet->busy ? " (its processor is busy)" : " (its processor is idle)"));
            noteSilence("quiet", *quiet);
        }
        if (stall) {
            progress(stall->step, "No progress any more");
            Error error{ErrorCode::Unavailable,
                        "The agent's machine made no progress for " + std::to_string(stall->silent.count()) +
                            " seconds while " + stepWords(stall->step) +
                            (stall->busy ? " (its processor was busy all the while)" : ""),
                        "Start it again; if it stops at the same step, run: carrel doctor",
                        0,
                        nullptr};
            noteSilence("stalled", *stall);
            return fail(std::move(error));
        }
    }
}

// What the machine wrote last is its own word, and often all there is to see of why.
void Agent::noteSilence(const std::string& what, const StartWatch::Stall& silence) {
    const auto tail = lastLines(door()->consoleTail(), 5);
    noteAfter(EventKind::VmStage, what,
              {{"step", silence.step},
               {"seconds", silence.silent.count()},
               {"busy", silence.busy},
               {"console", json::string(isUtf8(tail) ? tail : std::string())}},
              Provenance::Guest);
}

Error Agent::explainStop(std::string_view step) {
    std::string why = "its process ended";
    json::object detail{{"step", step}};
    if (const auto report = m_machine->exitReport()) {
        why = std::string(hypervisor::toString(report->reason));
        detail["reason"] = why;
        detail["last_lines"] = report->lastLines;
    }
    std::string said;
    {
        const std::lock_guard lock(m_mutex);
        said = m_guestFailure;
    }
    noteAfter(EventKind::VmStage, "ended", std::move(detail));
    Error error{ErrorCode::Unavailable,
                "The agent's machine ended while " + stepWords(step) + " (" + why + ")",
                "Start it again; if it ends again, run: carrel doctor", 0, nullptr};
    if (!said.empty()) {
        error.cause = std::make_shared<Error>(Error{ErrorCode::Internal, "it says: " + said, {}, 0, nullptr});
    }
    return error;
}

} // namespace carrel::agents
