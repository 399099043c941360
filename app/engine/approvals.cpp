// SPDX-License-Identifier: Apache-2.0
#include "app/engine/approvals.h"

#include "app/policy/approval_log.h"

#include <algorithm>
#include <set>

namespace carrel::engine {

using agents::ActionReport;
using agents::Agent;
using agents::OpenedReview;
using policy::Action;
using policy::Approval;
using policy::ApprovalState;
using policy::EffectState;
using policy::Request;
using policy::Submitted;

namespace {

constexpr std::chrono::seconds kLookAtRules{1}; // ends come, and the file may be changed by others (Grants::recheck)

// What was asked for, in an order of its own: the same asked again is the same.
std::string aboutApply(const agents::ReviewSelection& what) {
    auto paths = what.paths;
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    std::string about = "apply";
    for (const auto& path : paths) {
        about += isUtf8(path) ? "\n" + path : "\n/" + toBase64(path); // no share's name is empty
    }
    return about;
}

// A rule for the session that it was asked in covers it, and none for a later one.
std::vector<Request> asAsked(std::vector<Request> items, const Approval& approval) {
    for (auto& item : items) {
        item.session = approval.session;
    }
    return items;
}

std::string wordsOf(const ActionReport& report) {
    return std::to_string(report.made()) + " of " + std::to_string(report.items.size()) + " changes are made";
}

} // namespace

Approvals::Approvals(Setup setup)
    : m_clock(setup.clock != nullptr ? setup.clock : &m_system)
    , m_findAgent(std::move(setup.findAgent))
    , m_complain(std::move(setup.complain))
    , m_programsChanged(std::move(setup.programsChanged))
    , m_rules(setup.home / "rules.toml", std::move(setup.keeper), *m_clock)
    , m_grants(m_rules, *m_clock)
    , m_queue({*m_clock, m_rules, *this, *this, this}) {}

Approvals::~Approvals() {
    m_time.request_stop();
    if (m_time.joinable()) {
        m_time.join();
    }
    m_lanes.stop();
}

void Approvals::addListener(policy::ApprovalListener& listener) {
    m_listeners.push_back(&listener);
}

Result<Approvals::AgentPtr> Approvals::agentOf(const std::string& id) const {
    auto agent = m_findAgent(id);
    return agent ? Result<AgentPtr>(std::move(agent)) : fail(ErrorCode::NotFound, "that agent has been deleted");
}

std::string Approvals::nameOf(const std::string& agent) const {
    const auto found = m_findAgent(agent);
    return found ? found->name() : agent;
}

void Approvals::recover(const std::vector<AgentPtr>& agents) {
    std::vector<std::pair<AgentPtr, policy::ReadApprovals>> read;
    for (const auto& agent : agents) {
        auto records = policy::readApprovals(agent->id(), agent->log());
        if (!records) {
            m_complain(agent->name() + ": its requests cannot be read from its log: " + records.error().text());
            continue;
        }
        for (const auto& damaged : records->damaged) {
            m_complain(agent->name() + ": " + damaged.text());
        }
        read.emplace_back(agent, std::move(*records));
    }
    for (auto& [agent, records] : read) {
        const auto session = agent->session();
        if (auto gone = m_rules.endSessions(agent->id(), session); !gone) {
            m_complain(agent->name() + ": " + gone.error().text());
        }
        const auto recovered = m_queue.recover(agent->id(), session, records.records, *this);
        for (const auto& misfit : recovered.misfits) {
            m_complain(agent->name() + ": " + misfit.text());
        }
        for (const auto& lost : recovered.rulesLost) {
            m_complain(agent->name() + ": request " + std::to_string(lost.id) +
                       " was decided for longer, but Carrel was restarted before the rule was kept. Decide again when it asks");
        }
    }
    m_time = std::jthread([this](const std::stop_token& stop) { keepTime(stop); });
}

namespace {

// What happens there, by the host's own look and by what the apply will make of it; never by what the guest calls it. More than
// one thing where more than one happens, and a rule has to allow each of them.
std::vector<std::string_view> changesIn(const files::FrozenEntry& entry) {
    using files::NodeKind;
    const auto& was = entry.base;
    const auto& will = entry.wanted;
    const auto made = will.kind == NodeKind::Symlink ? "link" : "created";
    std::vector<std::string_view> out;
    if (entry.from) {
        out.emplace_back("renamed");
    }
    if (will.kind == NodeKind::Absent) {
        out.emplace_back("deleted");
    } else if (was.kind == NodeKind::Absent) {
        out.emplace_back(made);
    } else if (was.kind != will.kind) {
        out.emplace_back("deleted");
        out.emplace_back(made);
    } else if (was.kind == NodeKind::Symlink && was.linkTarget != will.linkTarget) {
        out.emplace_back("link");
    } else {
        if (was.kind == NodeKind::File && (entry.contentChanged || was.content != will.content)) {
            out.emplace_back("modified");
        }
        if (was.mode != will.mode) {
            out.emplace_back("mode");
        }
    }
    if (out.empty()) {
        out.emplace_back("modified"); // its time, at least
    }
    return out;
}

// As rules judge it.
void addRequests(const std::string& agent, const std::string& session, const agents::ShareRecord& share,
                 const files::FrozenEntry& entry, std::vector<Request>& to) {
    for (const auto change : changesIn(entry)) {
        Request item;
        item.agent = agent;
        item.session = session;
        item.action = Action::Apply;
        item.risk = entry.risk == files::Risk::High ? policy::Risk::High : policy::Risk::Routine;
        item.fields.emplace("folder", share.dir);
        item.fields.emplace("path", entry.path.text());
        item.fields.emplace("change", std::string(change));
        if (entry.from && change == "renamed") {
            item.fields.emplace("from", entry.from->text());
            if (entry.type == EntryType::Directory) {
                item.fields.emplace("type", "folder"); // and all that is in it
            }
        }
        to.push_back(std::move(item));
    }
}

} // namespace

std::vector<Request> Approvals::requestsOf(const Agent& agent, const OpenedReview& review) {
    std::vector<Request> out;
    const auto id = agent.id();
    const auto session = agent.session();
    for (const auto& view : review.select({})) {
        addRequests(id, session, *view.share, *view.entry, out);
    }
    return out;
}

agents::MaySettle Approvals::maySettle(const std::string& agent, const std::string& session, const agents::ShareRecord& share,
                                       const files::FrozenEntry& entry) {
    std::vector<Request> items;
    addRequests(agent, session, share, entry, items);
    const auto verdict = m_rules.decide(items);
    return verdict.trouble                            ? agents::MaySettle::Nothing
           : verdict.answer == policy::Answer::Deny ? agents::MaySettle::Waits
                                                      : agents::MaySettle::Yes;
}

void Approvals::ownerDecided(const std::string& agent, const std::string& review) {
    for (const auto& each : m_queue.list(false)) {
        if (each.agent == agent && each.action == Action::Apply && each.question.evidence.reference == review) {
            m_queue.gone(each.id);
        }
    }
}

Result<Approvals::Asked> Approvals::askApply(const AgentPtr& agent, const agents::ReviewSelection& what, const std::string& reason,
                                             std::stop_token stop) {
    const auto silent = [](std::string_view, std::string_view) {};
    auto review = agent->freeze(silent, stop, Agent::Look::Ask, {}, what);
    if (!review) {
        return fail(std::move(review).error());
    }
    if (review->id.empty()) {
        return fail(ErrorCode::NotFound, "nothing that could be applied is staged there", "Change something first");
    }
    const auto digest = files::Sha256::parse(review->id);
    if (!digest) {
        return fail(ErrorCode::Internal, "a review has no digest");
    }
    policy::Ask ask;
    ask.agent = agent->id();
    ask.session = agent->session();
    ask.action = Action::Apply;
    ask.about = aboutApply(what);
    ask.items = requestsOf(*agent, *review);
    ask.evidence = {*digest, review->id};
    ask.claim = reason;
    for (const auto& view : review->select({})) {
        if (view.entry->risk == files::Risk::High) {
            ask.riskReason = view.entry->riskReason + ": " + view.entry->path.text(); // the name is the agent's, and may be long
            break;
        }
    }
    agent->keepReview(review->id);
    auto submitted = m_queue.submit(std::move(ask));
    // A request that waits keeps it until it is over (changed()).
    if (!submitted || submitted->kind != Submitted::Kind::Waiting) {
        const std::lock_guard lock(m_mutex);
        const bool used = std::any_of(m_reviews.begin(), m_reviews.end(), [&](const auto& each) { return each.second == Kept{agent->id(), review->id}; });
        if (!used) {
            m_letGo.push_back({agent->id(), review->id});
            m_due = true;
            m_news.notify_all();
        }
    }
    if (!submitted) {
        return fail(std::move(submitted).error());
    }
    Asked out{std::move(*submitted), {}};
    if (out.submitted.kind != Submitted::Kind::Allowed) {
        return out;
    }
    if (out.submitted.id != 0) { // a person allowed just this a moment ago
        auto approval = m_queue.find(out.submitted.id);
        if (!approval) {
            return fail(std::move(approval).error());
        }
        if (auto report = carryOut(*approval, silent)) { // else the person's own call does it, or has told why not
            out.report = std::move(*report);
        }
        return out;
    }
    agents::Warrant warrant;
    warrant.by = agents::kByRule;
    warrant.begin = [&](const OpenedReview& opened) -> Status { // it may have waited long for its turn
        const auto items = requestsOf(*agent, opened);
        return m_rules.decide(items).answer == policy::Answer::Allow
                   ? Status{}
                   : fail(ErrorCode::Conflict, "The rules have changed meanwhile", "Ask again");
    };
    auto report = agent->apply(review->id, {}, silent, Agent::IfBoth::Conflict, warrant);
    if (!report) {
        return fail(std::move(report).error());
    }
    out.report = std::move(*report);
    return out;
}

Result<Approvals::Outcome> Approvals::decide(const policy::DecisionWanted& wanted, const agents::Progress& progress,
                                             const FolderChoice& choice) {
    const auto share = chosen(wanted, choice);
    if (!share) {
        return fail(share.error());
    }
    auto decided = m_queue.decide(wanted);
    if (!decided) {
        return fail(std::move(decided).error());
    }
    if (decided->approval.decision && decided->approval.decision->rule) {
        rulesChanged();
    }
    Outcome out{std::move(*decided), {}, {}, {}, {}};
    if (*share) {
        giveFolder(out.decided.approval, **share, out);
    } else if (wanted.effect == policy::Effect::Allow && out.decided.approval.action == Action::Forward) {
        openForward(out.decided.approval, out);
    } else if (wanted.effect == policy::Effect::Allow && out.decided.approval.action == Action::Program) {
        if (auto runs = letRun(out.decided.approval); !runs) {
            out.effectTrouble = std::move(runs).error();
        }
    } else if (wanted.effect != policy::Effect::Allow || out.decided.approval.action != Action::Apply) {
        return out;
    } else if (auto report = carryOut(out.decided.approval, progress)) {
        out.report = std::move(*report);
    } else if (!doneByAnother(out.decided.approval, report.error())) {
        out.effectTrouble = std::move(report).error();
    }
    if (auto now = m_queue.find(wanted.id)) {
        out.decided.approval = std::move(*now);
    }
    return out;
}

// The agent asked for the same once more, saw that it is allowed, and was quicker.
bool Approvals::doneByAnother(const Approval& approval, const Error& notByUs) {
    if (notByUs.code != ErrorCode::AlreadyExists) {
        return false;
    }
    const auto of = m_queue.wait(approval.agent, approval.id, {}, std::chrono::minutes(1), policy::ApprovalQueue::Until::Done);
    return of && of->effect == EffectState::Done;
}

// Begun in the agent's turn, with the very review that is applied: no other apply comes between the question whether it may
// begin and its beginning.
Result<ActionReport> Approvals::carryOut(const Approval& approval, const agents::Progress& progress) {
    auto agent = agentOf(approval.agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    bool begun = false;
    agents::Warrant warrant;
    warrant.by = policy::isByRule(approval) ? agents::kByRule : agents::kByOwner;
    warrant.approval = approval.id;
    warrant.begin = [&](const OpenedReview& opened) -> Status {
        const auto may = m_queue.begin(approval.id, asAsked(requestsOf(**agent, opened), approval));
        begun = may.has_value();
        return may;
    };
    auto report = (*agent)->apply(approval.question.evidence.reference, {}, progress, Agent::IfBoth::Conflict, warrant);
    if (begun) {
        m_queue.finished(approval.id, report && report->made() > 0 ? EffectState::Done : EffectState::Failed,
                         report ? wordsOf(*report) : report.error().text());
    }
    return report;
}

void Approvals::rulesChanged() {
    m_grants.recheck(); // first: what is cut waits for no agent
    for (auto* listener : m_listeners) {
        listener->rulesChanged();
    }
    if (m_programsChanged) {
        m_programsChanged();
    }
    {
        const std::lock_guard lock(m_mutex);
        m_rulesNew = true;
    }
    reconsider();
}

void Approvals::reconsider() {
    std::set<std::string> agents;
    for (const auto& each : m_queue.list(false)) {
        agents.insert(each.agent);
    }
    for (const auto& agent : agents) {
        m_lanes.post(agent, "reconsider", [this, agent] { m_queue.reconsider(agent); });
    }
}

void Approvals::sessionEnded(const std::string& agent, const std::string& session) {
    if (auto gone = m_queue.sessionEnded(agent, session); !gone) {
        m_complain(nameOf(agent) + ": rules for its session could not be removed; they mean nothing any more: " + gone.error().text());
    }
    m_grants.endSession(agent, session);
    const std::lock_guard lock(m_mutex);
    m_once.erase(agent);
}

void Approvals::forget(const std::string& agent) {
    const auto all = m_queue.list(true);
    m_queue.forget(agent);
    if (auto gone = m_rules.forget(agent); !gone) {
        m_complain("rules for an agent that is deleted could not be removed; they mean nothing any more: " + gone.error().text());
    }
    const std::lock_guard lock(m_mutex);
    m_once.erase(agent);
    for (const auto& each : all) {
        if (each.agent == agent) {
            m_reviews.erase(each.id);
            m_told.erase(each.id);
        }
    }
}

Status Approvals::append(const policy::ApprovalRecord& record) {
    auto agent = agentOf(record.agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    if (auto written = (*agent)->log().append(policy::eventOf(record)); !written) {
        return fail(std::move(written).error());
    }
    return {};
}

Result<std::vector<Request>> Approvals::itemsOf(const Approval& approval) {
    if (approval.action != Action::Apply) {
        return approval.question.items;
    }
    auto agent = agentOf(approval.agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto opened = (*agent)->openReview(approval.question.evidence.reference, Agent::Look::Ask);
    if (!opened) {
        return fail(std::move(opened).error());
    }
    return asAsked(requestsOf(**agent, *opened), approval);
}

Result<Approvals::Stands> Approvals::standing(const Approval& approval) {
    if (approval.action == Action::Folder) {
        return folderStanding(approval);
    }
    if (approval.action != Action::Apply) {
        return Stands::NeverBegan;
    }
    auto agent = agentOf(approval.agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto stood = (*agent)->appliedBy(approval.id);
    if (!stood) {
        return fail(std::move(stood).error());
    }
    switch (*stood) {
    case Agent::ApplyStood::Finished:
        return Stands::Finished;
    case Agent::ApplyStood::Partly:
        return Stands::Partly;
    case Agent::ApplyStood::NeverBegan:
        break;
    }
    return Stands::NeverBegan;
}

// Called in the turn of an agent, perhaps: so nothing is done here that takes one.
void Approvals::changed(const Approval& approval, std::uint64_t number) {
    {
        const std::lock_guard lock(m_mutex);
        auto& told = m_told[approval.id];
        if (number > told) {
            told = number;
            const bool allowed = approval.state == ApprovalState::Allowed && approval.effect == EffectState::None;
            const bool needs = approval.action == Action::Apply && (approval.state == ApprovalState::Open || allowed);
            const Kept kept{approval.agent, approval.question.evidence.reference};
            const auto known = m_reviews.find(approval.id);
            if (known != m_reviews.end() && (!needs || known->second != kept)) {
                m_letGo.push_back(known->second);
                m_reviews.erase(known);
            }
            if (needs) {
                m_reviews[approval.id] = kept;
                m_keep.push_back(kept);
            }
            if (allowed && (approval.action == Action::Apply || approval.action == Action::Program) && policy::isByRule(approval)) {
                m_byRule.push_back(approval.id);
            }
        }
        m_due = true;
        m_news.notify_all();
    }
    for (auto* listener : m_listeners) {
        listener->changed(approval, number);
    }
}

void Approvals::keepTime(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto next = m_queue.tick();
        if (!m_grants.list().empty()) {
            m_grants.recheck();
        }
        carryOutByRule();
        lookAtPrograms();
        tidyReviews();
        const auto left = std::max<std::int64_t>(next - m_clock->now().steadyMs, 0);
        const auto wait = std::min<std::chrono::milliseconds>(std::chrono::milliseconds(left), kLookAtRules);
        std::unique_lock lock(m_mutex);
        (void)m_news.wait_for(lock, stop, std::max(wait, std::chrono::milliseconds(20)), [&] { return m_due; });
        m_due = false;
    }
}

// A late word of a request that the queue has forgotten long ago is none that matters.
void Approvals::forgetTold() {
    constexpr std::size_t kSome = 4096;
    {
        const std::lock_guard lock(m_mutex);
        if (m_told.size() < kSome) {
            return;
        }
    }
    std::set<std::uint64_t> known;
    for (const auto& each : m_queue.list(true)) {
        known.insert(each.id);
    }
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_told, [&](const auto& each) { return !known.empty() && each.first < *known.begin(); });
}

void Approvals::tidyReviews() {
    forgetTold();
    std::vector<Kept> gone;
    std::vector<Kept> kept;
    {
        const std::lock_guard lock(m_mutex);
        gone.swap(m_letGo);
        kept.swap(m_keep);
        std::erase_if(gone, [&](const Kept& each) { // another request may be on the same one
            return std::any_of(m_reviews.begin(), m_reviews.end(), [&](const auto& used) { return used.second == each; });
        });
    }
    for (const auto& [agent, review] : kept) {
        if (const auto found = m_findAgent(agent)) {
            found->keepReview(review);
        }
    }
    for (const auto& [agent, review] : gone) {
        if (const auto found = m_findAgent(agent)) {
            found->letGoOfReview(review);
        }
    }
}

void Approvals::carryOutByRule() {
    std::vector<std::uint64_t> allowed;
    {
        const std::lock_guard lock(m_mutex);
        allowed.swap(m_byRule);
    }
    for (const auto id : allowed) {
        const auto approval = m_queue.find(id);
        if (!approval || approval->state != ApprovalState::Allowed || approval->effect != EffectState::None) {
            continue;
        }
        m_lanes.post(approval->agent, "carry out " + std::to_string(id), [this, of = *approval] {
            if (of.action == Action::Program) {
                if (auto runs = letRun(of); !runs) {
                    m_complain(nameOf(of.agent) + ": request " + std::to_string(of.id) + " was allowed by a rule: " + runs.error().text());
                }
                return;
            }
            if (auto done = carryOut(of, [](std::string_view, std::string_view) {}); !done && !doneByAnother(of, done.error())) {
                m_complain(nameOf(of.agent) + ": request " + std::to_string(of.id) + " was allowed by a rule: " + done.error().text());
            }
        });
    }
}

} // namespace carrel::engine
