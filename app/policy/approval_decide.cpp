// SPDX-License-Identifier: Apache-2.0
// What the owner decides, and what rules decide of what is open.
#include "app/policy/approval_queue.h"

#include "app/activity/event.h"
#include "app/policy/approval_turn.h"
#include "app/policy/rules_text.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::policy {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxWords = 2000;

std::string numbered(const Approval& of) {
    return "Request " + std::to_string(of.id);
}

// Somebody else was first, or there is nothing left to decide on.
tl::unexpected<Error> closedAlready(const Approval& of) {
    const auto number = std::to_string(of.id);
    if (of.decision) {
        return fail(ErrorCode::Conflict,
                    numbered(of) + " was " + std::string(toString(of.state)) + " already, by " + of.decision->by + " at " +
                        activity::formatTime(of.decision->atMs * 1'000'000),
                    "Nothing was changed. See: carrel show " + number);
    }
    if (of.state == ApprovalState::Expired) {
        return fail(ErrorCode::Expired, numbered(of) + " has expired: nobody answered in time",
                    "To answer it now: carrel approvals reopen " + number);
    }
    const char* why = "the agent took it back";
    switch (of.ended.value_or(EndReason::Withdrawn)) {
    case EndReason::SessionOver:
        why = "the agent's session ended";
        break;
    case EndReason::EngineEnded:
        why = "Carrel was restarted, and what waited for it has gone";
        break;
    case EndReason::Gone:
        why = "what it was about is no longer there";
        break;
    case EndReason::NoAnswer:
    case EndReason::Withdrawn:
        break;
    }
    return fail(ErrorCode::Cancelled, numbered(of) + " is no longer open: " + why, "The agent can ask again");
}

tl::unexpected<Error> changedSince(const Approval& of) {
    return fail(ErrorCode::Conflict, numbered(of) + " has changed since it was looked at: the agent asks with other content now",
                "Nothing was decided. Look at it again: carrel show " + std::to_string(of.id));
}

} // namespace

Result<const Approval*> ApprovalQueue::decidable(const DecisionWanted& wanted) const {
    const auto* of = m_book.find(wanted.id);
    if (of == nullptr) {
        return fail(ErrorCode::NotFound, "There is no request " + std::to_string(wanted.id) + ", or it was long ago",
                    "See: carrel approvals");
    }
    if (of->state != ApprovalState::Open) {
        return closedAlready(*of);
    }
    if (const auto live = m_live.find(of->id); live != m_live.end() && m_to.clock.now().steadyMs >= live->second.deadline) {
        auto late = *of; // as soon as somebody looks at the time
        late.state = ApprovalState::Expired;
        return closedAlready(late);
    }
    // A no to this once gives nothing away, whatever the request is by now.
    const bool anyContent = wanted.effect == Effect::Deny && wanted.scope == Scope::Once;
    if (!anyContent && (wanted.digest != of->question.evidence.digest ||
                        (wanted.revision != 0 && wanted.revision != of->revision))) {
        return changedSince(*of);
    }
    return of;
}

Result<std::vector<Request>> ApprovalQueue::itemsOf(const Approval& of) const {
    if (of.question.complete() && !isLasting(of.action)) {
        return of.question.items;
    }
    auto items = m_to.evidences.itemsOf(of); // of what lasts, whether it is still there
    if (!items) {
        return items;
    }
    return whole(of, std::move(*items));
}

Result<std::vector<Request>> ApprovalQueue::whole(const Approval& of, std::vector<Request> items) {
    const bool all = items.size() == of.question.itemCount && std::all_of(items.begin(), items.end(), [&](const Request& item) {
                         return item.action == of.action && item.agent == of.agent && check(item).has_value();
                     });
    return all ? Result<std::vector<Request>>(std::move(items))
               : fail(ErrorCode::NotFound, "What request " + std::to_string(of.id) + " is about is no longer as it was asked");
}

Result<std::optional<Rule>> ApprovalQueue::ruleFor(const Approval& of, const DecisionWanted& wanted) const {
    if (wanted.scope == Scope::Once) {
        return std::optional<Rule>();
    }
    if (wanted.scope == Scope::Session && (of.sessionOver || of.session.empty())) {
        return fail(ErrorCode::Refused, "The session that request " + std::to_string(of.id) + " was made in is over",
                    "Decide for once, or for the agent");
    }
    if (wanted.effect == Effect::Allow && isByPersonAlone(of.action)) {
        return fail(ErrorCode::Refused, "What request " + std::to_string(of.id) + " asks for is allowed by your own word, each time, and by no rule",
                    "Decide for once: carrel allow " + std::to_string(of.id));
    }
    if (!wanted.rule && !of.question.cover) {
        return fail(ErrorCode::Refused, "No rule can say what request " + std::to_string(of.id) + " asks for",
                    "Decide for once: carrel " + std::string(toString(wanted.effect)) + " " + std::to_string(of.id));
    }
    Rule from = wanted.rule.value_or(of.question.cover.value_or(Rule{}));
    if (from.action != of.action) {
        return fail(ErrorCode::InvalidArgument, "That rule is about " + std::string(toString(from.action)) + ", and the request about " +
                                                    std::string(toString(of.action)));
    }
    const auto until = wanted.lasting ? std::optional(m_to.clock.now().wallMs + wanted.lasting->count()) : std::nullopt;
    auto rule = scopedRule(from, wanted.effect, wanted.scope, of, until);
    CARREL_TRY(check(*rule));
    if (toToml(*rule).size() > kMaxCoverBytes) { // it stands in the log with the decision
        return fail(ErrorCode::LimitExceeded, "That rule is longer than one that is kept with a decision",
                    "Decide for once, and make the rule by itself: carrel rules add");
    }
    return rule;
}

Result<std::optional<Rule>> ApprovalQueue::ruleOf(const DecisionWanted& wanted) const {
    const std::lock_guard lock(m_mutex);
    const auto of = decidable(wanted);
    return of ? ruleFor(**of, wanted) : Result<std::optional<Rule>>(fail(of.error()));
}

// It is still there, and no rule denies it by now.
Status ApprovalQueue::mayAllow(const Approval& seen) {
    auto items = itemsOf(seen);
    if (!items && items.error().code == ErrorCode::NotFound) {
        Turn turn(*this);
        const auto* of = m_book.find(seen.id);
        if (of != nullptr && of->state == ApprovalState::Open && of->revision == seen.revision) {
            end(turn, *of, EndReason::Gone);
        }
    }
    if (!items) {
        return fail(std::move(items).error());
    }
    const auto verdict = m_to.rules.decide(*items);
    if (verdict.trouble) {
        return fail(verdict.trouble->wrap("Nothing can be allowed now", verdict.trouble->hint));
    }
    if (verdict.answer == Answer::Deny && verdict.rule) {
        settleByRule(seen, verdict);
        return fail(ErrorCode::Refused, "Rule " + std::to_string(verdict.rule->id) + " denies it, and a rule that denies always wins",
                    "See it: carrel rules show " + std::to_string(verdict.rule->id) + ". Take it away first, then the agent can ask again");
    }
    return {};
}

Status ApprovalQueue::record(Turn& turn, const Approval& of, DecisionFacts facts, IfNot ifNot) {
    const auto id = of.id;
    const auto agent = of.agent;
    facts.atMs = turn.now.wallMs;
    record::Decided what{std::move(facts), of.question.evidence.digest, of.asked, waited(id)};
    const bool allow = what.facts.effect == Effect::Allow;
    auto useFor = milliseconds(kUseWithin);
    if (what.facts.untilMs) {
        useFor = std::min(useFor, milliseconds(*what.facts.untilMs - turn.now.wallMs));
    }
    CARREL_TRY(write(id, agent, std::move(what), ifNot));
    if (allow) {
        m_live[id].useUntil = turn.now.steadyMs + useFor.count();
        m_live[id].begun = 0;
    } else {
        m_live.erase(id);
    }
    turn.changed(id);
    return {};
}

Result<Decided> ApprovalQueue::decide(const DecisionWanted& wanted) {
    const bool allow = wanted.effect == Effect::Allow;
    if (wanted.lasting && (wanted.lasting->count() <= 0 || *wanted.lasting > std::chrono::hours(24 * 366 * 10))) {
        return fail(ErrorCode::InvalidArgument, "A decision can last from a moment to ten years", "For example: --for 2h");
    }
    Approval seen;
    std::optional<Rule> rule;
    {
        const std::lock_guard lock(m_mutex);
        const auto of = decidable(wanted);
        if (!of) {
            return fail(of.error());
        }
        seen = copyOf(**of);
        auto made = ruleFor(seen, wanted);
        if (!made) {
            return fail(std::move(made).error());
        }
        rule = std::move(*made);
    }
    if (allow) {
        CARREL_TRY(mayAllow(seen));
    }
    {
        Turn turn(*this);
        const auto of = decidable(wanted);
        if (!of) {
            return fail(of.error());
        }
        if ((allow || rule) && (*of)->revision != seen.revision) { // while its evidence was looked at
            return changedSince(**of);
        }
        DecisionFacts facts;
        facts.effect = wanted.effect;
        facts.scope = wanted.scope;
        if (wanted.lasting) {
            facts.untilMs = turn.now.wallMs + wanted.lasting->count();
        }
        facts.by = plainText(wanted.by, kMaxByBytes);
        // Not for those who joined after the person looked: a hundred payments are not one.
        facts.uses = !allow                       ? 0
                     : isCarriedOut((*of)->action) ? 1
                                                : std::max<std::uint64_t>(1, std::min(wanted.asked, (*of)->asked));
        facts.rule = rule;
        CARREL_TRY(record(turn, **of, std::move(facts), allow ? IfNot::Fail : IfNot::Owe));
        if (allow) {
            m_flood.allowed(seen.agent);
        } else {
            m_flood.denied(seen.agent, turn.now);
        }
    }
    Decided out;
    if (rule) {
        out.ruleTrouble = keepRule(wanted.id, *rule);
    }
    auto now = find(wanted.id);
    if (!now) {
        return fail(std::move(now).error());
    }
    out.approval = std::move(*now);
    return out;
}

std::optional<Error> ApprovalQueue::keepRule(std::uint64_t id, const Rule& rule) {
    std::optional<Error> trouble;
    std::uint64_t kept = 0;
    if (const auto like = m_to.rules.find(rule); like && *like) {
        kept = (*like)->id; // it says so already
    } else if (auto added = m_to.rules.add(rule)) {
        kept = added->id;
    } else {
        trouble = added.error().wrap("Request " + std::to_string(id) + " is decided, but the rule for later ones could not be kept");
    }
    Turn turn(*this);
    if (const auto* of = m_book.find(id)) {
        (void)write(id, of->agent, record::RuleKept{kept, trouble ? plainText(trouble->text(), kMaxWords) : ""}, IfNot::Owe).has_value();
        turn.changed(id);
    }
    return trouble;
}

void ApprovalQueue::settleByRule(const Approval& seen, const Rules::Verdict& verdict) {
    if (!verdict.rule || verdict.answer == Answer::Ask || (verdict.answer == Answer::Allow && isByPersonAlone(seen.action))) {
        return;
    }
    Turn turn(*this);
    const auto* of = m_book.find(seen.id);
    if (of == nullptr || of->state != ApprovalState::Open || of->revision != seen.revision) {
        return;
    }
    const bool allow = verdict.answer == Answer::Allow;
    DecisionFacts facts;
    facts.effect = allow ? Effect::Allow : Effect::Deny;
    facts.by = "rule " + std::to_string(verdict.rule->id);
    facts.ruleId = verdict.rule->id;
    facts.uses = !allow ? 0 : isCarriedOut(of->action) ? 1 : of->asked;
    // One that cannot be written stays open, and is looked at again.
    (void)record(turn, *of, std::move(facts), allow ? IfNot::Fail : IfNot::Owe).has_value();
}

void ApprovalQueue::reconsider(std::string_view agent) {
    for (const auto& seen : list(false)) {
        if (seen.agent != agent) {
            continue;
        }
        const auto items = itemsOf(seen);
        if (!items) {
            continue; // whoever decides on it is told
        }
        const auto verdict = m_to.rules.decide(*items);
        if (!verdict.trouble) { // which will be over some time: what is open stays so meanwhile
            settleByRule(seen, verdict);
        }
    }
}

} // namespace carrel::policy
