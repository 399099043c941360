// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/kernel_notes.h"

#include <algorithm>

namespace carrel::worktree {

void KernelNotes::add(const KernelNote& note) {
    auto& waiting = isSlow(note) ? m_slow : m_quick;
    if (const auto [at, fresh] = waiting.keys.try_emplace(keyOf(note), note.byHost); !fresh) {
        at->second = at->second && note.byHost; // a decision's as well, and so it stays
        return;
    }
    waiting.order.push_back(note);
    if (note.byHost && note.kind != KernelNote::Kind::Everything &&
        m_quick.order.size() + m_slow.order.size() > kMostWaiting) {
        dropHosts();
        add({KernelNote::Kind::Everything, 0, {}, false, true});
    }
}

void KernelNotes::dropHosts() {
    for (auto* waiting : {&m_quick, &m_slow}) {
        std::erase_if(waiting->order, [&](const KernelNote& note) {
            const auto at = waiting->keys.find(keyOf(note));
            const bool hosts = at->second;
            if (hosts) {
                waiting->keys.erase(at);
            }
            return hosts;
        });
    }
}

KernelNote KernelNotes::take(Waiting& from, Again& again, Time now) {
    KernelNote note = std::move(from.order.front());
    from.order.pop_front();
    const auto key = keyOf(note);
    from.keys.erase(key);
    // The second telling comes after the last first one; an earlier one that is due still finds that it is not
    // the last.
    m_againAt[key] = now + kAgain;
    again.emplace_back(now + kAgain, note);
    return note;
}

std::optional<KernelNote> KernelNotes::takeAgain(Again& again, Time now) {
    while (!again.empty() && again.front().first <= now) {
        auto [time, note] = std::move(again.front());
        again.pop_front();
        const auto last = m_againAt.find(keyOf(note));
        if (last != m_againAt.end() && last->second == time) { // else told since, and due again later
            m_againAt.erase(last);
            return note;
        }
    }
    return std::nullopt;
}

std::optional<KernelNote> KernelNotes::next(Time now, Which which) {
    if (!m_quick.order.empty()) {
        return take(m_quick, m_quickAgain, now);
    }
    if (auto note = takeAgain(m_quickAgain, now); note || which == Which::Quick) {
        return note;
    }
    if (!m_slow.order.empty()) {
        return take(m_slow, m_slowAgain, now);
    }
    return takeAgain(m_slowAgain, now);
}

std::optional<KernelNotes::Time> KernelNotes::due(Time now) const {
    if (!m_quick.order.empty() || !m_slow.order.empty()) {
        return now;
    }
    std::optional<Time> first;
    for (const auto* again : {&m_quickAgain, &m_slowAgain}) {
        if (!again->empty()) {
            first = std::min(first.value_or(again->front().first), again->front().first);
        }
    }
    return first;
}

} // namespace carrel::worktree
