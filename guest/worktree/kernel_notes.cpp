// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/kernel_notes.h"

namespace carrel::worktree {

void KernelNotes::add(const KernelNote& note) {
    auto& waiting = isSlow(note) ? m_slow : m_quick;
    if (!waiting.keys.insert(keyOf(note)).second) {
        return;
    }
    waiting.order.push_back(note);
    if (note.kind != KernelNote::Kind::Everything &&
        m_quick.order.size() + m_slow.order.size() > kMostWaiting) {
        m_quick = {};
        m_slow = {};
        add({KernelNote::Kind::Everything, 0, {}, false});
    }
}

KernelNote KernelNotes::take(Waiting& from, Time now) {
    KernelNote note = std::move(from.order.front());
    from.order.pop_front();
    const auto key = keyOf(note);
    from.keys.erase(key);
    // The second telling comes after the last first one; an earlier one that is due still finds that it is
    // not the last.
    m_againAt[key] = now + kAgain;
    m_again.emplace_back(now + kAgain, note);
    return note;
}

std::optional<KernelNote> KernelNotes::next(Time now, Which which) {
    if (!m_quick.order.empty()) {
        return take(m_quick, now);
    }
    while (!m_again.empty() && m_again.front().first <= now) {
        const auto last = m_againAt.find(keyOf(m_again.front().second));
        if (last == m_againAt.end() || last->second != m_again.front().first) {
            m_again.pop_front(); // told since, and due again later
            continue;
        }
        if (which == Which::Quick && isSlow(m_again.front().second)) {
            break;
        }
        auto note = std::move(m_again.front().second);
        m_again.pop_front();
        m_againAt.erase(last);
        return note;
    }
    if (which == Which::Any && !m_slow.order.empty()) {
        return take(m_slow, now);
    }
    return std::nullopt;
}

std::optional<KernelNotes::Time> KernelNotes::due(Time now) const {
    if (!m_quick.order.empty() || !m_slow.order.empty()) {
        return now;
    }
    return m_again.empty() ? std::nullopt : std::optional(m_again.front().first);
}

} // namespace carrel::worktree
