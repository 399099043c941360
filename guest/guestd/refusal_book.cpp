// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/refusal_book.h"

#include <algorithm>
#include <ctime>

namespace carrel::guestd {

std::uint64_t RefusalBook::byTheClock() {
    return static_cast<std::uint64_t>(std::max<std::time_t>(0, std::time(nullptr)));
}

void RefusalBook::note(const net::Opening& meant, const net::Answer& answer) {
    net::Refusal one{m_now(), meant, answer.outcome, answer.text, 1};
    const std::lock_guard lock(m_mutex);
    const auto before = std::find_if(m_refusals.begin(), m_refusals.end(), [&](const net::Refusal& each) {
        return each.meant == one.meant && each.outcome == one.outcome && each.words == one.words;
    });
    if (before != m_refusals.end()) {
        one.times = before->times + 1;
        m_refusals.erase(before);
    } else if (m_refusals.size() >= net::kMaxRefusals) {
        m_refusals.erase(m_refusals.begin());
    }
    m_refusals.push_back(std::move(one));
}

net::Refusals RefusalBook::list(const net::RefusalsWanted& wanted) const {
    net::Refusals out;
    const std::lock_guard lock(m_mutex);
    std::copy_if(m_refusals.rbegin(), m_refusals.rend(), std::back_inserter(out),
                 [&](const net::Refusal& each) { return !wanted.host || each.meant.host == *wanted.host; });
    return out;
}

} // namespace carrel::guestd
