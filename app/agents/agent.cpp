// SPDX-License-Identifier: Apache-2.0
#include "app/agents/agent.h"

#include "guest/protocol/change_report.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <map>

namespace carrel::agents {

namespace fs = std::filesystem;
namespace json = boost::json;
using activity::EventKind;

namespace {

std::int64_t nowMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Status makePrivateFolder(const fs::path& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("making the folder " + folder.string());
    }
    return {};
}

json::object describeShare(const ShareRecord& share) {
    json::object out{{"name", share.name},
                     {"mode", toString(share.mode)},
                     {"guest_path", "/workspace/" + share.name},
                     {"staged", share.staged}};
    if (share.revoked) {
        out["revoked"] = true;
    }
    if (isUtf8(share.dir)) {
        out["dir"] = share.dir;
    } else {
        out["dir"] = "(not UTF-8)";
        out["dir_b64"] = toBase64(share.dir);
    }
    return out;
}

// An interruption came between the decision and the book.
std::string_view whoDecided(activity::ActivityLog& log, const std::string& set, std::int64_t atNs) {
    activity::Query query;
    query.sinceNs = atNs - std::chrono::nanoseconds(kAutoPeriod).count();
    query.kinds = {EventKind::ApplyDecided};
    const auto events = log.query(query);
    std::string_view who = kByOwner;
    for (const auto& each : events ? *events : std::vector<activity::Recorded>{}) {
        const auto& detail = each.event.detail;
        const auto* sets = detail.if_contains("sets"); // auto mode's name their one set by their subject
        const bool its = each.event.subject == set ||
                         (sets != nullptr && sets->is_array() && std::count(sets->get_array().begin(), sets->get_array().end(), json::value(set)) > 0);
        if (const auto* by = its && each.event.timeNs <= atNs ? detail.if_contains("by") : nullptr) {
            who = *by == json::value(kByAuto) ? kByAuto : *by == json::value(kByRule) ? kByRule : kByOwner;
        }
    }
    return who;
}

} // namespace

std::string_view toString(AgentState state) {
    static constexpr std::array<std::string_view, 7> kNames{"created",  "starting", "ready", "paused",
                                                            "stopping", "stopped",  "failed"};
    return kNames.at(static_cast<std::size_t>(state));
}

Agent::Agent(const Services& services, fs::path folder, AgentRecord record)
    : m_services(services), m_folder(std::move(folder)), m_record(std::move(record)), m_readBudget(services.mostReads) {}

Agent::~Agent() {
    leave();
}

Result<std::shared_ptr<Agent>> Agent::create(const Services& services, const NewAgent& wanted) {
    CARREL_TRY(checkAgentName(wanted.name));
    auto id = hypervisor::AgentId::random();
    if (!id) {
        return fail(std::move(id).error());
    }
    AgentRecord record;
    record.id = id->text();
    record.name = wanted.name;
    record.memoryMib = wanted.memoryMib;
    record.cpus = wanted.cpus;
    record.image = wanted.image;
    record.createdMs = nowMs();
    const fs::path folder = services.agentsFolder / record.id;
    CARREL_TRY(makePrivateFolder(folder));
    std::shared_ptr<Agent> agent(new Agent(services, folder, record));
    const auto finish = [&]() -> Status {
        CARREL_TRY(agent->openStores());
        CARREL_TRY(agent->note(EventKind::AgentCreated, record.name,
                               {{"id", record.id},
                                {"image", record.image},
                                {"memory_mib", record.memoryMib},
                                {"cpus", record.cpus}}));
        // The record is what makes the folder an agent: last, but for the shares, which need it.
        CARREL_TRY(agent->saveRecord(record));
        for (const auto& share : wanted.shares) {
            CARREL_TRY(agent->addShare(share));
        }
        return {};
    };
    if (auto done = finish(); !done) {
        const Error error = done.error();
        agent.reset();
        std::error_code ignored;
        fs::remove_all(folder, ignored);
        return fail(error);
    }
    return agent;
}

Result<std::shared_ptr<Agent>> Agent::load(const Services& services, fs::path folder) {
    auto record = agents::load(folder / "agent.json");
    if (!record) {
        return fail(std::move(record).error());
    }
    std::shared_ptr<Agent> agent(new Agent(services, std::move(folder), std::move(*record)));
    CARREL_TRY(agent->openStores());
    agent->m_state = AgentState::Stopped;
    return agent;
}

Status Agent::openStores() {
    auto log = activity::ActivityLog::open(file("activity.db"));
    if (!log) {
        return fail(std::move(log).error());
    }
    m_log = std::move(*log);
    auto review = files::FileReview::open(file("review").string());
    if (!review) {
        return fail(std::move(review).error());
    }
    m_review = std::move(*review);
    auto book = ReviewBook::open(file("reviews.json"));
    if (!book) {
        return fail(std::move(book).error());
    }
    m_book = std::move(*book);
    auto own = OwnFiles::open(file("own-files.json"));
    if (!own) {
        return fail(std::move(own).error());
    }
    m_own = std::move(*own);
    learnBirths();
    closeForwardsLeft();
    recoverApplies();
    return {};
}

// What a crash left of an apply is finished now, before anybody can look at the folders through us. What cannot be is no
// reason to be without the agent, and so without all else of its work: it is told, and waits (Applier::recover()).
void Agent::recoverApplies() {
    m_applyLeft = true;
    const auto shares = record().shares;
    const auto anew = sharedAnew();
    const auto shareOfApply = [&](const std::string& id) -> std::optional<ShareRecord> {
        if (const auto again = anew.find(id); again != anew.end()) {
            return again->second;
        }
        const auto at =
            std::find_if(shares.begin(), shares.end(), [&](const ShareRecord& s) { return std::to_string(s.id) == id; });
        return at == shares.end() ? std::nullopt : std::optional(*at);
    };
    // Whoever removed the share gave up what was left of it: what was begun comes to its end, and no more is done.
    for (const auto& [former, again] : anew) {
        if (auto root = openShareRoot(again)) {
            (void)m_review->settle(root->get(), former).has_value(); // else recover() tells of it
        }
    }
    auto finished = m_review->recover([&](const std::string& share) -> Result<UniqueFd> {
        const auto of = anew.contains(share) ? std::nullopt : shareOfApply(share);
        return of ? openShareRoot(*of) : fail(ErrorCode::NotFound, "the folder is no longer shared");
    });
    if (!finished) {
        const Error error = finished.error().wrap("interrupted applies could not be looked for");
        noteAfter(EventKind::ApplyDone, "could not finish what an interruption left",
                  {{"recovered", false}, {"error", error.text()}, {"hint", error.hint}});
        m_services.complain(name() + ": " + error.text());
        return;
    }
    for (const auto& report : *finished) {
        json::object detail{{"apply", report.id}, {"recovered", !report.unsettled}, {"entries", report.entries.size()},
                            {"complete", report.complete()}};
        if (const auto of = shareOfApply(report.share)) {
            detail["share"] = of->name;
        }
        if (report.unsettled) {
            detail["error"] = report.unsettled->text();
            detail["hint"] = report.unsettled->hint;
            m_services.complain(name() + ": " + report.unsettled->text());
        }
        noteAfter(report.undoes.empty() ? EventKind::ApplyDone : EventKind::UndoDone,
                  report.unsettled ? "could not finish what an interruption left" : "finished what an interruption left",
                  std::move(detail));
    }
    if (auto numbered = numberApplies(); !numbered) {
        m_applyLeft = true;
        m_services.complain(name() + ": " + numbered.error().text());
    }
}

// What is forgotten now must not be done by the next start: an apply that was interrupted has to be ended first, and that
// takes its folder.
Status Agent::refuseUnsettled(const ShareRecord& share) const {
    if (openShareRoot(share)) {
        return {};
    }
    const auto applies = m_review->applies();
    if (!applies) {
        return fail(applies.error());
    }
    const bool left = std::any_of(applies->begin(), applies->end(), [&](const files::ApplySummary& each) {
        return !each.finished && each.share == std::to_string(share.id);
    });
    return left ? fail(ErrorCode::Unavailable,
                       "an apply in " + share.name + " was interrupted, and its folder cannot be reached to end it",
                       "Make " + share.dir + " reachable, then try again")
                : Status();
}

void Agent::settleLeft(const std::vector<ShareRecord>& shares) {
    if (!m_applyLeft) {
        return;
    }
    const auto anew = sharedAnew();
    for (const auto& share : shares) {
        if (auto root = openShareRoot(share)) {
            (void)m_review->settle(root->get(), std::to_string(share.id)).has_value();
            for (const auto& [former, again] : anew) {
                if (again.id == share.id) {
                    (void)m_review->settle(root->get(), former).has_value();
                }
            }
        }
    }
    if (auto numbered = numberApplies(); !numbered) {
        m_applyLeft = true;
        m_services.complain(name() + ": " + numbered.error().text());
    }
}

// By the ids that unfinished applies know them by: folders that were removed and shared again since.
std::map<std::string, ShareRecord> Agent::sharedAnew() {
    std::map<std::string, ShareRecord> anew;
    const auto of = record();
    if (of.nextShareId == of.shares.size() + 1) {
        return anew; // none was ever removed
    }
    const auto applies = m_review->applies();
    for (const auto& each : applies ? *applies : std::vector<files::ApplySummary>{}) {
        const auto id = static_cast<std::uint32_t>(std::strtoul(each.share.c_str(), nullptr, 10));
        const bool known = std::any_of(of.shares.begin(), of.shares.end(), [&](const ShareRecord& s) { return s.id == id; });
        if (const auto share = each.finished || known ? fail(ErrorCode::NotFound, "") : shareOf(of, id, each.id)) {
            anew.emplace(each.share, **share);
        }
    }
    return anew;
}

// Every apply that changed anything gets its number, so that the user can undo it. An interruption may have come before:
// in the middle of the apply, or after its last step and before the book was written.
Status Agent::numberApplies() {
    auto applies = m_review->applies();
    if (!applies) {
        return fail(std::move(applies).error());
    }
    std::map<std::string, std::uint64_t> numbers;
    for (const auto& known : m_book->applies()) {
        for (const auto& part : known.parts) {
            numbers[part.apply] = known.number;
        }
    }
    m_applyLeft = std::any_of(applies->begin(), applies->end(), [](const auto& each) { return !each.finished; });
    for (const auto& each : *applies) {
        if (!each.finished || numbers.contains(each.id)) {
            continue;
        }
        auto report = m_review->report(each.id);
        if (!report) {
            return fail(std::move(report).error());
        }
        if (!report->changedAnything()) {
            continue;
        }
        const auto share = static_cast<std::uint32_t>(std::strtoul(each.share.c_str(), nullptr, 10));
        const auto undone = numbers.find(each.undoes);
        ApplyFacts facts;
        facts.atMs = each.atNs / 1'000'000;
        if (each.undoes.empty()) {
            facts.by = whoDecided(*m_log, each.set, each.atNs);
        }
        for (const auto& entry : report->entries) {
            ++(entry.outcome == files::Outcome::Applied ? facts.done : facts.open);
        }
        const auto of = record();
        if (const auto known = shareOf(of, share, each.id); known && !report->entries.empty()) {
            facts.first = (*known)->name + "/" + report->entries.front().path.text();
        }
        auto number =
            m_book->record(undone == numbers.end() ? 0 : undone->second, {}, {{share, each.id}}, std::move(facts));
        if (!number) {
            return fail(std::move(number).error());
        }
        numbers[each.id] = *number;
    }
    return {};
}

activity::Event Agent::eventOf(EventKind kind, std::string subject, json::object detail, activity::Provenance provenance) {
    if (!isUtf8(subject)) {
        detail["subject_b64"] = toBase64(subject);
        subject = "(not UTF-8)";
    }
    activity::Event event;
    event.kind = kind;
    event.provenance = provenance;
    event.subject = std::move(subject);
    event.detail = std::move(detail);
    return event;
}

Status Agent::note(EventKind kind, std::string subject, json::object detail, activity::Provenance provenance) {
    payOwed();
    auto written = m_log->append(eventOf(kind, std::move(subject), std::move(detail), provenance));
    if (!written) {
        return fail(written.error().wrap("The activity log could not be written, so nothing was done",
                                         "Make room on the disk, then try again"));
    }
    return {};
}

void Agent::noteAfter(EventKind kind, std::string subject, json::object detail, activity::Provenance provenance) {
    if (auto written = note(kind, std::move(subject), std::move(detail), provenance); !written) {
        m_services.complain(name() + ": " + written.error().text());
    }
}

bool Agent::noteOwing(EventKind kind, std::string subject, json::object detail) {
    constexpr std::size_t kMostOwed = 100;
    payOwed();
    const auto written = m_log->append(eventOf(kind, subject, detail, activity::Provenance::Host));
    if (written) {
        return true;
    }
    m_services.complain(name() + ": " + written.error().wrap("The activity log could not be written; what only takes something "
                                                             "away goes ahead, and is written down when that is possible",
                                                             "Make room on the disk").text());
    detail["happened"] = activity::formatTime(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                  std::chrono::system_clock::now().time_since_epoch())
                                                  .count());
    const std::lock_guard lock(m_mutex);
    if (m_owedEvents.size() < kMostOwed) {
        m_owedEvents.push_back(eventOf(kind, std::move(subject), std::move(detail), activity::Provenance::Host));
    }
    return false;
}

void Agent::payOwed() {
    std::vector<activity::Event> owed;
    {
        const std::lock_guard lock(m_mutex);
        owed.swap(m_owedEvents);
    }
    while (!owed.empty() && m_log->append(owed.front())) {
        owed.erase(owed.begin());
    }
    if (!owed.empty()) {
        const std::lock_guard lock(m_mutex);
        m_owedEvents.insert(m_owedEvents.begin(), std::make_move_iterator(owed.begin()), std::make_move_iterator(owed.end()));
    }
}

// How it reaches the network, how much it may carry, whose model it uses and which programs it has, is not a verb's business that waits its turn (setNetwork(), setLimits()): it
// is as it is now, and not as whoever changed the rest has found it.
Status Agent::saveRecord(const AgentRecord& record) {
    {
        const std::lock_guard writing(m_recordMutex);
        auto next = record;
        const auto now = this->record();
        next.network = now.network;
        next.limits = now.limits;
        next.provider = now.provider;
        next.programSettings = now.programSettings;
        next.programs = now.programs;
        CARREL_TRY(agents::save(next, file("agent.json")));
        const std::lock_guard lock(m_mutex);
        m_owesRecord = m_record.programs != next.programs; // one was installed meanwhile (installEnded())
        next.programs = m_record.programs;
        m_record = next;
    }
    tellChanged();
    payOwed(); // there is room
    return {};
}

// Of something taken away: it counts from now on, written or not.
Status Agent::saveRecordOwing(const AgentRecord& record) {
    auto saved = saveRecord(record);
    if (!saved) {
        {
            const std::lock_guard lock(m_mutex);
            auto next = record;
            next.network = m_record.network;
            next.limits = m_record.limits;
            next.provider = m_record.provider;
            next.programSettings = m_record.programSettings;
            next.programs = m_record.programs;
            m_record = std::move(next);
            m_owesRecord = true;
        }
        tellChanged();
    }
    return saved;
}

AgentRecord Agent::record() const {
    const std::lock_guard lock(m_mutex);
    return m_record;
}

void Agent::setState(AgentState state, std::string reason) {
    {
        const std::lock_guard lock(m_mutex);
        m_state = state;
        m_failure = reason;
        m_booting = m_booting && state != AgentState::Ready;
    }
    tellChanged();
    json::object detail;
    if (state == AgentState::Ready) {
        detail["accelerator"] = record().accelerator; // emulation is slower, and a weaker wall
    }
    if (!reason.empty()) {
        detail["reason"] = std::move(reason);
    }
    if (isPaused()) { // while it became so; the log has that already
        detail["paused"] = true;
    }
    noteAfter(EventKind::VmState, std::string(toString(state)), std::move(detail));
}

void Agent::tellChanged() const {
    if (m_services.changed) {
        m_services.changed();
    }
}

std::string Agent::name() const {
    const std::lock_guard lock(m_mutex);
    return m_record.name;
}

std::string Agent::id() const {
    const std::lock_guard lock(m_mutex);
    return m_record.id;
}

AgentState Agent::state() const {
    const std::lock_guard lock(m_mutex);
    return stateNow();
}

std::string Agent::pausedWhy() const {
    const std::lock_guard lock(m_mutex);
    return stateNow() == AgentState::Paused ? m_pausedBy.why : std::string();
}

json::array Agent::describeShares(Tell what) const {
    const std::lock_guard lock(m_mutex);
    json::array shares;
    for (const auto& share : m_record.shares) {
        auto described = describeShare(share);
        if (const auto look = m_looks.find(share.id); what == Tell::Chosen && look != m_looks.end()) {
            tell(look->second, described);
        }
        if (const auto failed = m_sharesFailed.find(share.id); failed != m_sharesFailed.end()) {
            described["trouble"] = failed->second;
        }
        shares.push_back(std::move(described));
    }
    return shares;
}

json::object Agent::describe(Tell what) const {
    json::array shares = describeShares(what);
    const std::lock_guard lock(m_mutex);
    json::object out{{"name", m_record.name},
                     {"id", m_record.id},
                     {"state", toString(stateNow())},
                     {"memory_mib", m_record.memoryMib},
                     {"cpus", m_record.cpus},
                     {"image", m_record.image},
                     {"created", activity::formatTime(m_record.createdMs * 1'000'000)},
                     {"accelerator", m_machine && !m_record.accelerator.empty() ? json::value(m_record.accelerator)
                                                                                : json::value(nullptr)},
                     {"network", egress::toString(m_record.network)},
                     {"shares", std::move(shares)}};
    if (stateNow() == AgentState::Failed) {
        out["reason"] = m_failure;
    } else if (stateNow() == AgentState::Paused) {
        out["paused_by"] = toString(m_pausedBy.who);
        if (!m_pausedBy.why.empty()) {
            out["reason"] = m_pausedBy.why;
        }
    }
    return out;
}

std::optional<std::string> Agent::failureOf(std::uint32_t share) const {
    const std::lock_guard lock(m_mutex);
    const auto failed = m_sharesFailed.find(share);
    return failed == m_sharesFailed.end() ? std::nullopt : std::optional(failed->second);
}

std::shared_ptr<Door> Agent::door() const {
    const std::lock_guard lock(m_mutex);
    return m_door;
}

Result<std::shared_ptr<Door>> Agent::readyDoor() const {
    const std::lock_guard lock(m_mutex);
    if (stateNow() == AgentState::Paused) {
        return fail(pausedError(ErrorCode::Refused, m_record.name));
    }
    if (m_state != AgentState::Ready || !m_door) {
        return fail(ErrorCode::Refused, "the agent " + m_record.name + " does not run",
                    "Start it with: carrel start " + m_record.name);
    }
    return m_door;
}

Result<std::shared_ptr<Door>> Agent::workingDoor(std::stop_token stop) {
    auto at = readyDoor();
    if (!at) {
        return at;
    }
    if (!(*at)->alive()) {
        CARREL_TRY(putClerk());
    }
    CARREL_TRY((*at)->awaitHello(std::move(stop)));
    return at;
}

Agent::Turn::Turn(Agent& agent, Manner manner)
    : m_agent(agent), m_operation(agent.m_operation, std::defer_lock), m_manner(manner) {
    if (manner == Manner::Patient) {
        m_operation.lock();
        return;
    }
    {
        const std::lock_guard lock(m_agent.m_mutex);
        ++m_agent.m_insisting;
        m_agent.m_ending += m_manner == Manner::Ending ? 1 : 0;
        if (m_agent.m_door && m_agent.m_state != AgentState::Stopping) { // a stop under way is what it waits for
            m_agent.m_door->callOff();
        }
    }
    m_operation.lock();
    const std::lock_guard lock(m_agent.m_mutex);
    --m_agent.m_insisting;
    m_agent.m_ending -= m_manner == Manner::Ending ? 1 : 0;
}

// Others may insist, too: what they called off stays so.
Agent::Turn::~Turn() {
    const std::lock_guard lock(m_agent.m_mutex);
    if (!m_agent.m_door) {
        return;
    }
    if (m_agent.m_insisting > 0) {
        m_agent.m_door->callOff();
    } else if (m_agent.m_door->calledOff()) {
        m_agent.m_door->callOn();
    }
}

} // namespace carrel::agents
