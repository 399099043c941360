// SPDX-License-Identifier: Apache-2.0
// What comes in, and what time does to it. Deciding: approval_decide.cpp.
#include "app/policy/approval_queue.h"

#include "app/policy/approval_turn.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::policy {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxWords = 2000;

tl::unexpected<Error> noSuch(std::uint64_t id) {
    return fail(ErrorCode::NotFound, "There is no request " + std::to_string(id) + ", or it was long ago", "See: carrel approvals");
}

} // namespace

ApprovalQueue::ApprovalQueue(const ApprovalServices& to)
    : m_to(to) {}
ApprovalQueue::~ApprovalQueue() = default;

Result<Submitted> ApprovalQueue::submit(Ask ask) {
    auto prepared = prepare(std::move(ask));
    if (!prepared) {
        return fail(std::move(prepared).error());
    }
    const auto verdict = m_to.rules.decide(prepared->items);
    if (verdict.answer == Answer::Allow && isByPersonAlone(prepared->action)) {
        return askPerson(*prepared);
    }
    if (verdict.answer == Answer::Allow && verdict.rule) {
        return allowedByRule(*prepared, *verdict.rule);
    }
    return verdict.answer == Answer::Ask ? askPerson(*prepared) : Result<Submitted>(deniedByRule(*prepared, verdict));
}

// No state of the queue is touched, so that what rules allow does not queue up behind what people are asked.
Result<Submitted> ApprovalQueue::allowedByRule(const PreparedAsk& ask, const Rule& rule) {
    const record::RuleAnswered what{ask.session, ask.action, ask.about, ask.question.evidence.digest, Effect::Allow, rule.id, {}, 1};
    if (auto written = m_to.sink.append({0, ask.agent, m_to.clock.now().wallMs, what}); !written) {
        return fail(written.error().wrap("What a rule allows cannot be written down, so it does not happen",
                                         "Make room on the disk, then try again"));
    }
    return Submitted{Submitted::Kind::Allowed, 0, rule, {}, {}};
}

Submitted ApprovalQueue::deniedByRule(const PreparedAsk& ask, const Rules::Verdict& verdict) {
    const Turn turn(*this);
    if (const auto count = m_flood.deniedByRule(ask.agent, turn.now)) {
        const record::RuleAnswered what{ask.session,
                                        ask.action,
                                        ask.about,
                                        ask.question.evidence.digest,
                                        Effect::Deny,
                                        verdict.rule ? verdict.rule->id : 0,
                                        verdict.trouble ? plainText(verdict.trouble->text(), kMaxWords) : "",
                                        *count};
        (void)write(0, ask.agent, what, IfNot::Skip).has_value();
    }
    return {Submitted::Kind::Denied, 0, verdict.rule,
            verdict.trouble ? "Nothing is allowed now: there is trouble with the rules, which the owner has to look at"
                            : "A rule of the owner's denies it",
            verdict.trouble};
}

bool ApprovalQueue::stands(const Approval& allowed, const PreparedAsk& ask, Moment now) const {
    const auto live = m_live.find(allowed.id);
    return live != m_live.end() && allowed.effect == EffectState::None &&
           allowed.question.evidence.digest == ask.question.evidence.digest && now.steadyMs < live->second.useUntil &&
           allowed.decision && live->second.begun < allowed.decision->uses;
}

Result<Submitted> ApprovalQueue::askPerson(const PreparedAsk& ask) {
    Turn turn(*this);
    const auto* like = m_book.like(ask);
    if (like != nullptr && like->state == ApprovalState::Open) {
        return join(turn, *like, ask);
    }
    if (like != nullptr && stands(*like, ask, turn.now)) {
        return Submitted{Submitted::Kind::Allowed, like->id, {}, {}, {}};
    }
    switch (m_flood.may(ask.agent, m_book.openOf(ask.agent), turn.now)) {
    case FloodGuard::May::Ask:
        break;
    case FloodGuard::May::TooManyOpen:
        return turnAway(ask.agent, turn.now, std::to_string(kMaxOpen) + " requests wait for an answer already: wait for one of them");
    case FloodGuard::May::TooOften:
        return turnAway(ask.agent, turn.now, "Too much was asked within a minute: wait, and ask for more at once");
    case FloodGuard::May::Paused: {
        const auto left = std::chrono::ceil<std::chrono::seconds>(m_flood.pauseLeft(ask.agent, turn.now));
        return turnAway(ask.agent, turn.now, "The last request was denied: the next one can be made in " +
                                                 std::to_string(left.count()) + " seconds");
    }
    }
    const auto id = m_book.nextId();
    if (auto written = write(id, ask.agent, record::Asked{ask.session, ask.task, ask.action, ask.about, ask.question}, IfNot::Fail);
        !written) {
        return fail(std::move(written).error());
    }
    m_flood.asked(ask.agent, turn.now);
    startCountdown(*m_book.find(id));
    turn.changed(id);
    return Submitted{Submitted::Kind::Waiting, id, {}, {}, {}};
}

// Asked again: the same question once more, or another one in its place.
Result<Submitted> ApprovalQueue::join(Turn& turn, const Approval& open, const PreparedAsk& ask) {
    const auto id = open.id;
    const Submitted waiting{Submitted::Kind::Waiting, id, {}, {}, {}};
    auto same = ask.question;
    same.claim = open.question.claim; // other words for the same are no other question
    if (same == open.question) {
        m_book.count(id);
        if ((open.asked & (open.asked - 1)) == 0) { // 2, 4, 8: a row for each would be a flood of its own
            (void)write(id, open.agent, record::Repeated{open.asked}, IfNot::Skip).has_value();
        }
        turn.changed(id);
        return waiting;
    }
    // Each change is a row in the log, and something new to look at: the next one has to wait twice as long.
    const auto least = kChangeEvery * (1U << std::min<std::uint64_t>(open.revision - 1, kMostChangeDoublings));
    if (milliseconds(turn.now.steadyMs - m_live[id].changedAt) < least) {
        return turnAway(ask.agent, turn.now, "It was asked for with other content a moment ago: wait, then ask again");
    }
    if (auto written = write(id, open.agent, record::Changed{open.session, open.action, open.revision + 1, ask.question}, IfNot::Fail);
        !written) {
        return fail(std::move(written).error());
    }
    m_live[id].changedAt = turn.now.steadyMs;
    turn.changed(id);
    return waiting;
}

Submitted ApprovalQueue::turnAway(const std::string& agent, Moment now, std::string why) {
    m_flood.turnedAway(agent, now);
    return {Submitted::Kind::TurnedAway, 0, {}, std::move(why), {}};
}

bool ApprovalQueue::hasRoom(std::string_view agent) const {
    const std::lock_guard lock(m_mutex);
    return m_book.openOf(agent) < kMaxOpen;
}

Result<Approval> ApprovalQueue::wait(std::string_view agent, std::uint64_t id, std::stop_token stop, milliseconds most,
                                     Until until) {
    std::unique_lock lock(m_mutex);
    (void)m_changed.wait_for(lock, stop, most, [&] {
        const auto* of = m_book.find(id);
        const bool waits = of != nullptr && of->agent == agent &&
                           (of->state == ApprovalState::Open ||
                            (until == Until::Done && of->state == ApprovalState::Allowed && of->effect == EffectState::None));
        return !waits;
    });
    const auto* of = m_book.find(id);
    return of == nullptr || of->agent != agent ? Result<Approval>(noSuch(id)) : copyOf(*of);
}

Status ApprovalQueue::begin(std::uint64_t id, std::optional<std::vector<Request>> items) {
    auto seen = find(id);
    if (!seen) {
        return fail(std::move(seen).error());
    }
    if (seen->state == ApprovalState::Allowed) { // a rule that was made since wins
        const auto now = items ? whole(*seen, std::move(*items)) : itemsOf(*seen);
        if (!now) {
            return fail(now.error());
        }
        const auto verdict = m_to.rules.decide(*now);
        if (verdict.answer == Answer::Deny) {
            return verdict.trouble ? fail(*verdict.trouble)
                                   : fail(ErrorCode::Refused, "A rule that was made since denies it");
        }
        // Nobody has looked at it: without its rule it is not allowed.
        if (isByRule(*seen) && verdict.answer != Answer::Allow) {
            return fail(ErrorCode::Refused, "The rule that allowed it counts no more", "Ask again");
        }
    }
    const Turn turn(*this);
    const auto* of = m_book.find(id);
    const auto live = m_live.find(id);
    if (of == nullptr || live == m_live.end() || of->state != ApprovalState::Allowed || !of->decision ||
        (of->effect != EffectState::None && of->effect != EffectState::Done)) {
        return fail(ErrorCode::Refused, "Request " + std::to_string(id) + " is not allowed");
    }
    if (turn.now.steadyMs >= live->second.useUntil) {
        return fail(ErrorCode::Expired, "Request " + std::to_string(id) + " was allowed, and not done in time",
                    "Ask again");
    }
    if (live->second.begun >= of->decision->uses) {
        return fail(ErrorCode::AlreadyExists, "Request " + std::to_string(id) + " was allowed " +
                                            std::to_string(of->decision->uses) + " times, and that is done",
                    "Ask again");
    }
    ++live->second.begun;
    return {};
}

void ApprovalQueue::finished(std::uint64_t id, EffectState state, std::string words) {
    Turn turn(*this);
    const auto* of = m_book.find(id);
    if (of == nullptr || of->state != ApprovalState::Allowed) {
        return;
    }
    (void)write(id, of->agent, record::EffectEnded{state, plainText(words, kMaxWords)}, IfNot::Owe).has_value();
    turn.changed(id);
}

void ApprovalQueue::end(Turn& turn, const Approval& of, EndReason reason) {
    const auto id = of.id;
    (void)write(id, of.agent, record::Ended{reason, of.asked, waited(id)}, IfNot::Owe).has_value();
    turn.changed(id);
    m_live.erase(id);
}

void ApprovalQueue::gone(std::uint64_t id) {
    Turn turn(*this);
    const auto* of = m_book.find(id);
    if (of != nullptr && of->state == ApprovalState::Open) {
        end(turn, *of, EndReason::Gone);
    }
}

Status ApprovalQueue::withdraw(std::string_view agent, std::uint64_t id) {
    Turn turn(*this);
    const auto* of = m_book.find(id);
    if (of == nullptr || of->agent != agent) {
        return noSuch(id);
    }
    if (of->state == ApprovalState::Open) {
        end(turn, *of, EndReason::Withdrawn);
    }
    return {};
}

Result<std::vector<Rule>> ApprovalQueue::sessionEnded(const std::string& agent, const std::string& session) {
    {
        Turn turn(*this);
        std::vector<std::uint64_t> over;
        for (const auto* of : m_book.of(agent)) {
            if (of->session == session) {
                over.push_back(of->id);
            }
        }
        for (const auto id : over) { // a closed one may make room for another
            m_book.markSessionOver(id);
            const auto* of = m_book.find(id);
            if (of != nullptr && of->state == ApprovalState::Open && !isLasting(of->action)) {
                end(turn, *of, EndReason::SessionOver);
            }
        }
    }
    return m_to.rules.endSessions(agent, "");
}

Status ApprovalQueue::reopen(std::uint64_t id, const std::string& by) {
    auto seen = find(id);
    if (!seen) {
        return fail(std::move(seen).error());
    }
    if (seen->state != ApprovalState::Expired) {
        return fail(ErrorCode::Refused,
                    "Request " + std::to_string(id) + " is " + std::string(toString(seen->state)) + ": only an expired one can be opened again");
    }
    if (seen->sessionOver && !isLasting(seen->action)) {
        return fail(ErrorCode::Refused, "The agent's session has ended since, and nobody waits for request " + std::to_string(id),
                    "The agent asks again when it needs it");
    }
    if (auto items = itemsOf(*seen); !items) { // else there is nothing to decide on
        return fail(std::move(items).error());
    }
    Turn turn(*this);
    const auto* of = m_book.find(id);
    if (of == nullptr || of->state != ApprovalState::Expired) {
        return fail(ErrorCode::Conflict, "Request " + std::to_string(id) + " was opened again by somebody else meanwhile");
    }
    for (const auto* other : m_book.of(of->agent)) {
        if (other->state == ApprovalState::Open && other->action == of->action && other->about == of->about) {
            return fail(ErrorCode::Refused, "The agent has asked for it again, as request " + std::to_string(other->id),
                        "See: carrel show " + std::to_string(other->id));
        }
    }
    CARREL_TRY(write(id, of->agent, record::Reopened{plainText(by, kMaxByBytes)}, IfNot::Fail));
    startCountdown(*of);
    turn.changed(id);
    return {};
}

void ApprovalQueue::shown(std::uint64_t id, const std::string& where) {
    Turn turn(*this);
    const auto* of = m_book.find(id);
    if (of != nullptr && of->state == ApprovalState::Open && !of->shown) {
        (void)write(id, of->agent, record::Shown{plainText(where, kMaxByBytes)}, IfNot::Skip).has_value();
        turn.changed(id);
    }
}

void ApprovalQueue::hold(std::uint64_t id) {
    Turn turn(*this);
    const auto* of = m_book.find(id);
    const auto live = m_live.find(id);
    if (of != nullptr && of->state == ApprovalState::Open && live != m_live.end()) {
        live->second.deadline = std::max(live->second.deadline, turn.now.steadyMs + milliseconds(kHeld).count());
        turn.changed(id);
    }
}

std::vector<Approval> ApprovalQueue::list(bool closedToo) const {
    const std::lock_guard lock(m_mutex);
    std::vector<Approval> out;
    for (const auto* of : m_book.all()) {
        if (closedToo || of->state == ApprovalState::Open) {
            out.push_back(copyOf(*of));
        }
    }
    return out;
}

Result<Approval> ApprovalQueue::find(std::uint64_t id) const {
    const std::lock_guard lock(m_mutex);
    const auto* of = m_book.find(id);
    return of == nullptr ? Result<Approval>(noSuch(id)) : copyOf(*of);
}

std::vector<FloodGuard::Away> ApprovalQueue::turnedAway() const {
    const std::lock_guard lock(m_mutex);
    return m_flood.away();
}

} // namespace carrel::policy
