// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval_book.h"

#include <algorithm>

namespace carrel::policy {
namespace {

tl::unexpected<Error> misfit(const ApprovalRecord& record, const std::string& why) {
    return fail(ErrorCode::Malformed, "The row " + std::string(kindOf(record)) + " of request " + std::to_string(record.id) +
                                          " does not fit what came before it: " + why);
}

// Nothing can come of it any more but what the log says.
bool isOver(const Approval& of) {
    return of.state != ApprovalState::Open &&
           (of.state != ApprovalState::Allowed || of.effect == EffectState::Done || of.effect == EffectState::Failed ||
            of.effect == EffectState::NeverBegan);
}

Approval opened(const ApprovalRecord& record, const record::Asked& what) {
    Approval of;
    of.id = record.id;
    of.agent = record.agent;
    of.session = what.session;
    of.task = what.task;
    of.action = what.action;
    of.about = what.about;
    of.question = what.question;
    of.askedMs = record.atMs;
    return of;
}

struct Follow {
    Approval& of;
    std::int64_t atMs;

    [[nodiscard]] bool open() const { return of.state == ApprovalState::Open; }
    [[nodiscard]] bool allowed() const { return of.state == ApprovalState::Allowed; }

    bool operator()(const record::Asked& /*what*/) const { return false; }
    bool operator()(const record::Changed& what) const {
        if (!open() || what.revision != of.revision + 1 || what.action != of.action || what.session != of.session) {
            return false;
        }
        of.revision = what.revision;
        of.question = what.question;
        of.asked = 1;
        of.shown = false;
        return true;
    }
    bool operator()(const record::Repeated& what) const {
        if (!open()) {
            return false;
        }
        of.asked = std::max(of.asked, what.asked);
        return true;
    }
    bool operator()(const record::Shown& /*what*/) const {
        of.shown = of.shown || open(); // it may have been decided on elsewhere meanwhile
        return true;
    }
    bool operator()(const record::Decided& what) const {
        const auto& facts = what.facts;
        const bool allow = facts.effect == Effect::Allow;
        if (!open() || (allow && (what.digest != of.question.evidence.digest || facts.uses == 0))) {
            return false;
        }
        of.state = allow ? ApprovalState::Allowed : ApprovalState::Denied;
        of.decision = facts;
        of.decision->atMs = atMs;
        of.asked = std::max(of.asked, what.asked);
        of.closedMs = atMs;
        of.effect = EffectState::None;
        of.effectsEnded = 0;
        of.effectWords.clear();
        return true;
    }
    bool operator()(const record::RuleKept& what) const {
        if (!of.decision || !of.decision->rule) {
            return false;
        }
        of.decision->ruleId = what.ruleId;
        if (what.ruleId == 0) {
            of.decision->rule.reset(); // given up, and nobody looks for it again
        }
        return true;
    }
    bool operator()(const record::Ended& what) const {
        if (!open()) {
            return false;
        }
        of.state = what.reason == EndReason::NoAnswer ? ApprovalState::Expired : ApprovalState::Cancelled;
        of.ended = what.reason;
        of.asked = std::max(of.asked, what.asked);
        of.closedMs = atMs;
        return true;
    }
    bool operator()(const record::Reopened& /*what*/) const {
        if (of.state != ApprovalState::Expired && !(allowed() && of.effect == EffectState::NeverBegan)) {
            return false;
        }
        of.state = ApprovalState::Open;
        of.decision.reset();
        of.ended.reset();
        of.shown = false;
        of.askedMs = atMs;
        of.closedMs = 0;
        of.asked = 1;
        return true;
    }
    bool operator()(const record::EffectEnded& what) const {
        if (!allowed() || what.state == EffectState::None) {
            return false;
        }
        of.effect = what.state;
        of.effectWords = what.words;
        of.effectsEnded += what.state == EffectState::Unsettled ? 0 : 1;
        return true;
    }
    bool operator()(const record::RuleAnswered& /*what*/) const { return false; }
    bool operator()(const record::TurnedAway& /*what*/) const { return false; }
};

} // namespace

Result<std::optional<Approval>> ApprovalBook::after(const ApprovalRecord& record) const {
    if (std::holds_alternative<record::RuleAnswered>(record.what) || std::holds_alternative<record::TurnedAway>(record.what)) {
        return std::optional<Approval>();
    }
    const auto at = m_all.find(record.id);
    if (const auto* asked = std::get_if<record::Asked>(&record.what)) {
        return record.id == 0 || at != m_all.end() ? Result<std::optional<Approval>>(misfit(record, "its number is taken"))
                                                   : std::optional(opened(record, *asked));
    }
    if (at == m_all.end() || at->second.agent != record.agent) {
        return misfit(record, "there is no such request");
    }
    Approval of = at->second;
    if (!std::visit(Follow{of, record.atMs}, record.what)) {
        return misfit(record, "the request was " + std::string(toString(of.state)));
    }
    return std::optional(std::move(of));
}

Status ApprovalBook::fits(const ApprovalRecord& record) const {
    const auto next = after(record);
    return next ? Status() : fail(next.error());
}

Status ApprovalBook::apply(const ApprovalRecord& record) {
    auto next = after(record);
    if (!next) {
        return fail(std::move(next).error());
    }
    if (!*next) {
        return {};
    }
    const bool open = (*next)->state == ApprovalState::Open;
    m_all.insert_or_assign(record.id, std::move(**next));
    m_nextId = std::max(m_nextId, record.id + 1);
    if (open) {
        m_closed.erase(record.id);
    } else if (m_closed.emplace(record.id, m_closings + 1).second) {
        ++m_closings;
        dropOld(record.agent);
    }
    return {};
}

void ApprovalBook::dropOld(const std::string& agent) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> over; // when, which
    for (const auto& [id, when] : m_closed) {
        if (const auto& of = m_all.at(id); of.agent == agent && isOver(of)) {
            over.emplace_back(when, id);
        }
    }
    std::sort(over.begin(), over.end());
    for (std::size_t i = 0; i + kMaxClosed < over.size(); ++i) {
        m_all.erase(over[i].second);
        m_closed.erase(over[i].second);
    }
}

const Approval* ApprovalBook::find(std::uint64_t id) const {
    const auto at = m_all.find(id);
    return at == m_all.end() ? nullptr : &at->second;
}

std::vector<const Approval*> ApprovalBook::all() const {
    std::vector<const Approval*> out;
    for (const auto& [id, of] : m_all) {
        out.push_back(&of);
    }
    return out;
}

std::vector<const Approval*> ApprovalBook::of(std::string_view agent) const {
    auto out = all();
    std::erase_if(out, [&](const Approval* each) { return each->agent != agent; });
    return out;
}

std::size_t ApprovalBook::openOf(std::string_view agent) const {
    const auto mine = of(agent);
    return static_cast<std::size_t>(
        std::count_if(mine.begin(), mine.end(), [](const Approval* each) { return each->state == ApprovalState::Open; }));
}

const Approval* ApprovalBook::like(const PreparedAsk& ask) const {
    const Approval* found = nullptr;
    for (const auto& [id, of] : m_all) {
        if (of.agent == ask.agent && of.session == ask.session && of.action == ask.action && of.about == ask.about &&
            (of.state == ApprovalState::Open || of.state == ApprovalState::Allowed) &&
            (found == nullptr || found->state != ApprovalState::Open || of.state == ApprovalState::Open)) {
            found = &of;
        }
    }
    return found;
}

void ApprovalBook::count(std::uint64_t id) {
    if (const auto at = m_all.find(id); at != m_all.end()) {
        ++at->second.asked;
    }
}

void ApprovalBook::markSessionOver(std::uint64_t id) {
    if (const auto at = m_all.find(id); at != m_all.end()) {
        at->second.sessionOver = true;
    }
}

void ApprovalBook::forget(std::string_view agent) {
    std::erase_if(m_all, [&](const auto& each) { return each.second.agent == agent; });
    std::erase_if(m_closed, [&](const auto& each) { return !m_all.contains(each.first); });
}

} // namespace carrel::policy
