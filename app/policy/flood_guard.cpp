// SPDX-License-Identifier: Apache-2.0
#include "app/policy/flood_guard.h"

#include <algorithm>
#include <utility>

namespace carrel::policy {

using std::chrono::milliseconds;

namespace {

void keepMinute(std::deque<std::int64_t>& times, Moment now) {
    while (!times.empty() && now.steadyMs - times.front() >= 60'000) {
        times.pop_front();
    }
}

} // namespace

milliseconds FloodGuard::pauseAfter(unsigned denials) {
    milliseconds pause = denials == 0 ? milliseconds(0) : milliseconds(kFirstPause);
    for (unsigned i = 1; i < denials && pause < kLongestPause; ++i) {
        pause *= 2;
    }
    return std::min<milliseconds>(pause, kLongestPause);
}

milliseconds FloodGuard::pauseLeft(const std::string& agent, Moment now) const {
    const auto at = m_of.find(agent);
    if (at == m_of.end()) {
        return milliseconds(0);
    }
    return std::max(milliseconds(0), milliseconds(at->second.deniedAt - now.steadyMs) + pauseAfter(at->second.denials));
}

FloodGuard::May FloodGuard::may(const std::string& agent, std::size_t open, Moment now) {
    if (open >= kMaxOpen) {
        return May::TooManyOpen;
    }
    if (pauseLeft(agent, now) > milliseconds(0)) {
        return May::Paused;
    }
    auto& opened = m_of[agent].opened;
    keepMinute(opened, now);
    return opened.size() >= kMaxPerMinute ? May::TooOften : May::Ask;
}

void FloodGuard::asked(const std::string& agent, Moment now) {
    auto& of = m_of[agent];
    of.opened.push_back(now.steadyMs);
    if (of.opened.size() > kMaxPerMinute) {
        of.opened.pop_front();
    }
    of.away = 0; // what is not written down yet still will be
}

void FloodGuard::denied(const std::string& agent, Moment now) {
    auto& of = m_of[agent];
    if (of.denials > 0 && milliseconds(now.steadyMs - of.deniedAt) >= kForgetDenials) {
        of.denials = 0;
    }
    of.denials = std::min(of.denials + 1, 32U);
    of.deniedAt = now.steadyMs;
}

void FloodGuard::allowed(const std::string& agent) {
    m_of[agent].denials = 0;
}

void FloodGuard::recall(const std::string& agent, Moment now, milliseconds ago) {
    denied(agent, now);
    // A clock that was set back says less than nothing: then the whole pause is still to come.
    m_of[agent].deniedAt = now.steadyMs - std::clamp<std::int64_t>(ago.count(), 0, milliseconds(kForgetDenials).count());
}

void FloodGuard::turnedAway(const std::string& agent, Moment now) {
    auto& of = m_of[agent];
    if (of.away++ == 0) {
        of.awaySinceMs = now.wallMs;
    }
    if (of.unwritten++ == 0) {
        of.unwrittenSinceMs = now.wallMs;
    }
}

std::vector<FloodGuard::Due> FloodGuard::due(Moment now, milliseconds every) const {
    std::vector<Due> out;
    for (const auto& [agent, of] : m_of) {
        if (of.unwritten > 0 && (!of.writtenAt || milliseconds(now.steadyMs - *of.writtenAt) >= every)) {
            out.push_back({agent, of.unwritten, of.unwrittenSinceMs});
        }
    }
    return out;
}

void FloodGuard::written(const Due& due, Moment now) {
    auto& of = m_of[due.agent];
    of.unwritten -= std::min(of.unwritten, due.count);
    of.writtenAt = now.steadyMs;
}

std::vector<FloodGuard::Away> FloodGuard::away() const {
    std::vector<Away> out;
    for (const auto& [agent, of] : m_of) {
        if (of.away > 0) {
            out.push_back({agent, of.away, of.awaySinceMs});
        }
    }
    return out;
}

std::optional<std::uint64_t> FloodGuard::deniedByRule(const std::string& agent, Moment now) {
    auto& of = m_of[agent];
    ++of.deniedUnwritten;
    keepMinute(of.deniedRows, now);
    if (of.deniedRows.size() >= kMaxDeniedRows) {
        return std::nullopt;
    }
    of.deniedRows.push_back(now.steadyMs);
    return std::exchange(of.deniedUnwritten, 0);
}

void FloodGuard::forget(std::string_view agent) {
    const auto at = m_of.find(agent);
    if (at != m_of.end()) {
        m_of.erase(at);
    }
}

} // namespace carrel::policy
