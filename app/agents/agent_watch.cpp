// SPDX-License-Identifier: Apache-2.0
// While an agent's machine runs: what its clerk tells, and who looks after both.
#include "app/agents/agent.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <chrono>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;
using activity::Provenance;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kMaxClerksPerMinute = 10;
constexpr unsigned kMaxToldPerMinute = 600;
constexpr std::size_t kMaxStagesTold = 64;

} // namespace

// What a guest can make the host write down as often as it likes must not fill the user's disk.
bool Agent::mayTell(std::string_view method) {
    if (method != "stage" && method != "guest.log" && method != "notice" && method != "broken" &&
        method != "shares.failed") {
        return true;
    }
    const auto now = Clock::now();
    {
        const std::lock_guard lock(m_mutex);
        if (now - m_toldSince > std::chrono::minutes(1)) {
            m_toldSince = now;
            m_toldCount = 0;
        }
        if (++m_toldCount != kMaxToldPerMinute) {
            return m_toldCount < kMaxToldPerMinute;
        }
    }
    noteAfter(EventKind::EngineNote, "the agent's machine tells too much; for this minute no more of it is written down");
    return false;
}

void Agent::told(const std::string& method, const json::object& params) {
    if (!mayTell(method)) {
        return;
    }
    JsonFields fields(params, method);
    if (method == "stage") {
        const auto step = fields.string("name", 64);
        const auto detail = fields.string("detail", 512);
        const auto from = fields.string("from", 32);
        if (!fields.finish() || !isUtf8(step) || !isUtf8(detail)) {
            return;
        }
        Progress progress;
        bool news = false;
        bool again = false;
        {
            const std::lock_guard lock(m_mutex);
            // Told on the console and on the channel: once is enough for a person, and for the log.
            const auto told = from + '\n' + step + '\n' + detail;
            again = m_stagesTold.contains(told);
            if (m_stagesTold.size() < kMaxStagesTold) {
                m_stagesTold.insert(told);
            }
            if (m_watch) {
                news = !describeStep(step).empty() && m_watch->firstTime(step);
                m_watch->step(step, Clock::now());
            }
            if (step == "ready") {
                m_programs.anew = true;
            }
            if (step == "failed") {
                m_guestFailure = detail;
            }
            progress = m_startProgress;
        }
        if (!again) {
            noteAfter(EventKind::VmStage, step, {{"detail", detail}, {"from", from}}, Provenance::Guest);
        }
        if (progress && news) {
            progress(step, describeStep(step));
        }
    } else if (method == "console.activity") {
        const std::lock_guard lock(m_mutex);
        if (m_watch) {
            m_watch->sign(Clock::now());
        }
    } else if (method == "exec.ended") {
        json::object detail;
        for (const auto& member : params) {
            detail[member.key()] = member.value();
        }
        installEnded(params);
        // The outcome is what the guest told.
        noteAfter(EventKind::ExecEnded, "", std::move(detail), Provenance::Guest);
    } else if (method == "guest.log") {
        const auto level = fields.string("level", 16);
        const auto text = fields.string("text", 512);
        if (fields.finish()) {
            noteAfter(EventKind::GuestLog, text, {{"level", isUtf8(level) ? level : std::string()}}, Provenance::Guest);
        }
    } else if (method == "notice") {
        const auto text = fields.string("text", 1024);
        if (fields.finish()) {
            noteAfter(EventKind::EngineNote, text);
        }
    } else if (method == "broken") {
        const auto why = fields.string("why", 1024);
        if (fields.finish() && isUtf8(why)) {
            noteAfter(EventKind::EngineNote, "the agent's machine does not get ready", {{"why", why}}, Provenance::Guest);
        }
    } else if (method == "shares.failed") {
        sharesFailed(fields.array("shares", 2 * clerk::kMaxSharesPerAgent));
    } else if (method == "changes.touched") {
        const std::lock_guard lock(m_mutex);
        ++m_touched;
        m_wake.notify_all();
    } else if (method == "channel.closed") {
        const std::lock_guard lock(m_mutex);
        m_tendDoor = true; // most often the machine ended: look at once
        m_wake.notify_all();
    }
}

void Agent::asked(const ask::Question& question, AnswerAsk answer) {
    if (!m_services.asked) {
        answer(fail(ErrorCode::Unavailable, "nobody can be asked here", "What is staged waits for the owner's own look"));
        return;
    }
    m_services.asked(id(), question, std::move(answer));
}

// The machine's own word, and all that is known: the share has not come, or has not gone.
void Agent::sharesFailed(const json::array& shares) {
    std::map<std::uint32_t, std::string> now, before;
    for (const auto& item : shares) {
        if (!item.is_object()) {
            return;
        }
        JsonFields one(item.get_object(), "shares.failed");
        const auto share = static_cast<std::uint32_t>(one.number("share", UINT32_MAX));
        auto why = one.string("why", 512);
        if (!one.finish() || !isUtf8(why)) {
            return;
        }
        now[share] = std::move(why);
    }
    const auto of = record();
    {
        const std::lock_guard lock(m_mutex);
        before = std::exchange(m_sharesFailed, now);
    }
    tellChanged();
    for (const auto& share : of.shares) {
        const auto failed = now.find(share.id);
        if (failed != now.end()) {
            noteAfter(EventKind::EngineNote, "a folder is not in the agent's machine as it should be",
                      {{"share", share.name}, {"why", failed->second}}, Provenance::Guest);
        } else if (before.contains(share.id)) {
            noteAfter(EventKind::EngineNote, "a folder is in the agent's machine as it should be", {{"share", share.name}},
                      Provenance::Guest);
        }
    }
}

Status Agent::recordReads(const json::object& params) {
    JsonFields fields(params, "file.read");
    (void)fields.number("batch");
    const json::array files = fields.array("files", 1000);
    CARREL_TRY(fields.finish());
    const auto of = record();
    std::vector<activity::Event> events;
    for (const auto& item : files) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "a file that is read is no object");
        }
        JsonFields one(item.get_object(), "file.read");
        const auto share = one.number("share", UINT32_MAX);
        const auto path = takeOptionalPath(one, item.get_object(), "path").value_or("");
        json::object detail{{"size", one.number("size")}, {"mtime_ns", one.signedNumber("mtime_ns")}};
        CARREL_TRY(one.finish());
        const auto known = std::find_if(of.shares.begin(), of.shares.end(), [&](const ShareRecord& s) { return s.id == share; });
        if (known == of.shares.end()) {
            return fail(ErrorCode::NotFound, "a file of no shared folder is read");
        }
        events.push_back(eventOf(EventKind::FileRead, known->name + "/" + path, std::move(detail), Provenance::Host));
    }
    const bool within = [&] {
        const std::lock_guard lock(m_mutex);
        return m_readBudget.take(events.size(), Clock::now());
    }();
    if (!within) {
        tellRefusedReads();
        return fail(ErrorCode::LimitExceeded, "the agent's machine reads more than can be written down");
    }
    auto written = m_log->appendUnflushed(std::move(events));
    if (!written) {
        m_services.complain(of.name + ": " + written.error().wrap("The activity log could not be written, so a file was not "
                                                                  "handed to the machine",
                                                                  "Make room on the disk, then try again").text());
    }
    return written;
}

// One event for all of them.
void Agent::tellRefusedReads() {
    std::optional<std::uint64_t> refused;
    {
        const std::lock_guard lock(m_mutex);
        refused = m_readBudget.refusedToTell(Clock::now());
    }
    if (refused) {
        noteAfter(EventKind::EngineNote, "the agent's machine reads more files than can be written down; it was not given them",
                  {{"refused", *refused}});
    }
}

void Agent::superviseUntil(std::stop_token stop) {
    std::stop_callback wake(stop, [this] { m_wake.notify_all(); });
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(m_mutex);
            m_wake.wait_for(lock, m_services.patience.supervising,
                            [&] { return m_clerkGone || m_tendDoor || m_programs.due || stop.stop_requested(); });
            m_tendDoor = false;
            m_clerkGone = false; // Door::alive() remembers it; a second look comes with the next period
        }
        if (!stop.stop_requested()) {
            tendPrograms(); // waits for no verb: what is denied now must not run as long as one takes
            // A verb under way holds the lock; it meets the same trouble itself, and we look again after it.
            if (const std::unique_lock operation(m_operation, std::try_to_lock); operation) {
                superviseOnce();
            }
        }
    }
}

void Agent::superviseOnce() {
    std::shared_ptr<hypervisor::Machine> machine;
    std::shared_ptr<Door> door;
    {
        const std::lock_guard lock(m_mutex);
        machine = m_machine;
        door = m_door;
    }
    if (!machine || !door) {
        return;
    }
    payOwed();
    tellRefusedReads();
    const bool owesRecord = [&] {
        const std::lock_guard lock(m_mutex);
        return m_owesRecord;
    }();
    if (owesRecord) {
        (void)saveRecord(record()).has_value(); // there may be room by now
    }
    const auto state = machine->state();
    if (state && *state == hypervisor::MachineState::Stopped) {
        machineEnded();
        return;
    }
    holdTheBrake(*machine);
    if (!door->alive()) {
        if (!mayReplaceClerk()) {
            return;
        }
        if (auto put = putClerk(); !put) {
            m_services.complain(name() + ": " + put.error().text());
        }
        return;
    }
    if (!door->tended() && mayReplaceClerk()) {
        if (auto tended = door->tend(); !tended) {
            m_services.complain(name() + ": " + tended.error().text());
        }
    }
    const auto is = this->state();
    if (is == AgentState::Failed || is == AgentState::Starting) { // nobody waits for it: that would be in a turn
        greetLate(*door);
    } else if (is == AgentState::Ready) {
        tendAuto(*door);
    }
}

// A machine that did not answer when the engine came back goes on, and may answer later.
void Agent::greetLate(Door& at) {
    if (!m_lateGreeting.valid()) {
        m_lateGreeting = at.hello();
    }
    if (m_lateGreeting.wait_for(std::chrono::seconds(0)) == std::future_status::ready && m_lateGreeting.get()) {
        programsChanged();
        setState(AgentState::Ready);
    }
}

// A guest that brings down one clerk after another must not keep the host busy: after a few in a minute the door stays
// shut until the oldest of them is a minute past.
bool Agent::mayReplaceClerk() {
    const auto now = Clock::now();
    std::erase_if(m_clerksReplaced, [&](Clock::time_point at) { return now - at > std::chrono::minutes(1); });
    if (m_clerksReplaced.size() >= kMaxClerksPerMinute) {
        return false;
    }
    m_clerksReplaced.push_back(now);
    return true;
}

// Not by our stop(): the guest powered off, or the machine died.
void Agent::machineEnded() {
    watchNoMore();
    std::shared_ptr<hypervisor::Machine> machine;
    std::shared_ptr<Door> door;
    std::shared_ptr<egress::Egress> network;
    {
        const std::lock_guard lock(m_mutex);
        machine = std::exchange(m_machine, nullptr);
        door = std::exchange(m_door, nullptr);
        network = std::exchange(m_network, nullptr);
        m_paused = m_mayRun = m_booting = false;
    }
    alarmOver();
    if (door) {
        door->close();
    }
    if (network) {
        network->stop();
    }
    const auto report = machine->exitReport();
    clearRuntime();
    auto ended = record();
    ended.running = false;
    ended.unclean = true; // nobody has counted what was staged last
    const auto session = std::exchange(ended.session, {});
    (void)saveRecord(ended).has_value();
    tellSessionEnded(session);
    if (!report || report->reason != hypervisor::ExitReason::GuestShutdown) {
        setState(AgentState::Failed, "The machine ended by itself (" +
                                         std::string(report ? hypervisor::toString(report->reason) : "unknown") + ")");
    } else {
        setState(AgentState::Stopped);
    }
}

} // namespace carrel::agents
