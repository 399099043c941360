// SPDX-License-Identifier: Apache-2.0
// The records' way to the log, and what happens with time.
#include "app/policy/approval_queue.h"

#include "app/policy/approval_turn.h"

#include <algorithm>

namespace carrel::policy {

using std::chrono::milliseconds;

namespace {

constexpr std::int64_t kLookAgainMs = 60'000;

milliseconds patienceOf(Action action) {
    return isLasting(action) ? milliseconds(kLastingPatience) : milliseconds(kPatience);
}

} // namespace

// In the order in which it happened: nothing goes past what is owed.
bool ApprovalQueue::payOwed(const std::string& agent) {
    const auto at = m_owed.find(agent);
    if (at == m_owed.end()) {
        return true;
    }
    while (!at->second.empty()) {
        if (!m_to.sink.append(at->second.front())) {
            return false;
        }
        at->second.pop_front();
    }
    m_owed.erase(at);
    return true;
}

Status ApprovalQueue::write(std::uint64_t id, const std::string& agent, decltype(ApprovalRecord::what) what, IfNot ifNot) {
    ApprovalRecord record{id, agent, m_to.clock.now().wallMs, std::move(what)};
    CARREL_TRY(m_book.fits(record));
    auto written = payOwed(agent) ? m_to.sink.append(record)
                                  : fail(ErrorCode::Io, "earlier rows of the log are still to be written");
    if (!written && ifNot == IfNot::Skip) {
        return written;
    }
    if (!written && ifNot == IfNot::Fail) {
        return fail(written.error().wrap("It cannot be written down, so it does not happen", "Make room on the disk, then try again"));
    }
    CARREL_TRY(m_book.apply(record));
    if (!written) {
        m_owed[agent].push_back(std::move(record));
    }
    return {};
}

void ApprovalQueue::startCountdown(const Approval& of) {
    const auto now = m_to.clock.now().steadyMs;
    m_live[of.id] = {now, now + patienceOf(of.action).count(), now, 0, 0};
}

std::uint64_t ApprovalQueue::waited(std::uint64_t id) const {
    const auto live = m_live.find(id);
    return live == m_live.end() ? 0 : static_cast<std::uint64_t>(std::max<std::int64_t>(0, m_to.clock.now().steadyMs - live->second.openedAt));
}

Approval ApprovalQueue::copyOf(const Approval& of) const {
    Approval out = of;
    const auto live = m_live.find(of.id);
    if (of.state == ApprovalState::Open && live != m_live.end()) {
        const auto now = m_to.clock.now();
        out.showUntilMs = now.wallMs + std::max<std::int64_t>(0, live->second.deadline - now.steadyMs);
    }
    return out;
}

std::int64_t ApprovalQueue::tick() {
    Turn turn(*this);
    const auto now = turn.now.steadyMs;
    auto next = now + kLookAgainMs;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, live] : m_live) {
        ids.push_back(id);
    }
    for (const auto id : ids) {
        const auto* of = m_book.find(id);
        const auto live = m_live[id];
        if (of == nullptr) {
            m_live.erase(id);
        } else if (of->state == ApprovalState::Open) {
            if (now >= live.deadline) {
                end(turn, *of, EndReason::NoAnswer);
            } else {
                next = std::min(next, live.deadline);
            }
        } else if (of->state == ApprovalState::Allowed && live.begun == 0 && of->effect == EffectState::None) {
            if (now >= live.useUntil) { // whoever waited has gone
                (void)write(id, of->agent, record::EffectEnded{EffectState::NeverBegan, "Nobody came back for it in time"}, IfNot::Owe)
                    .has_value();
                turn.changed(id);
                m_live.erase(id);
            } else {
                next = std::min(next, live.useUntil);
            }
        } else if (now >= live.useUntil && of->effectsEnded >= live.begun) {
            m_live.erase(id);
        }
    }
    std::vector<std::string> owing;
    for (const auto& [agent, records] : m_owed) {
        owing.push_back(agent);
    }
    for (const auto& agent : owing) {
        (void)payOwed(agent);
    }
    for (const auto& due : m_flood.due(turn.now, kTurnedAwayEvery)) {
        if (write(0, due.agent, record::TurnedAway{due.count, due.sinceMs}, IfNot::Skip)) {
            m_flood.written(due, turn.now);
        }
    }
    return next;
}

void ApprovalQueue::forget(const std::string& agent) {
    Turn turn(*this);
    for (const auto* of : m_book.of(agent)) {
        if (of->state == ApprovalState::Open || (of->state == ApprovalState::Allowed && of->effect == EffectState::None)) {
            turn.gone(*of); // whoever shows it has to take it away
        }
        m_live.erase(of->id);
    }
    m_book.forget(agent);
    m_flood.forget(agent);
    m_owed.erase(agent);
    m_changed.notify_all(); // whoever waits for one of its requests
}

} // namespace carrel::policy
