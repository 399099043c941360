// SPDX-License-Identifier: Apache-2.0
#include "app/agents/start_watch.h"

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::agents {

StartWatch::StartWatch(Time now) : m_lastSign(now), m_lastBusy(now), m_sampled(now) {}

void StartWatch::step(std::string_view name, Time now) {
    m_step = name;
    if (firstTime(name)) {
        m_seen.emplace_back(name);
    }
    sign(now);
}

bool StartWatch::firstTime(std::string_view name) const {
    return m_seen.size() < kMaxSeen && std::find(m_seen.begin(), m_seen.end(), name) == m_seen.end();
}

void StartWatch::sign(Time now) {
    m_lastSign = now;
    m_lastBusy = now;
    m_quietTold = 0;
}

void StartWatch::processor(std::chrono::nanoseconds used, Time now) {
    const auto passed = now - m_sampled;
    if (passed < std::chrono::milliseconds(500)) {
        return; // too short to tell
    }
    const double load = static_cast<double>((used - m_used).count()) /
                        static_cast<double>(std::chrono::nanoseconds(passed).count());
    if (load > kIdleLoad) {
        m_lastBusy = now;
    }
    m_used = used;
    m_sampled = now;
}

std::optional<StartWatch::Stall> StartWatch::stalled(Time now) const {
    const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - m_lastSign);
    const bool idle = now - std::max(m_lastBusy, m_lastSign) >= kIdlePatience;
    if (idle || silent >= kBusyPatience) {
        return Stall{m_step, silent, !idle};
    }
    return std::nullopt;
}

std::optional<StartWatch::Stall> StartWatch::quiet(Time now) {
    const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - m_lastSign);
    const auto due = static_cast<int>(silent / kQuietNews);
    if (due <= m_quietTold) {
        return std::nullopt;
    }
    m_quietTold = due;
    return Stall{m_step, silent, now - m_lastBusy < kQuietNews / 2};
}

std::string_view describeStep(std::string_view step) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kSteps{
        {{"image", "checking the image"},
         {"machine", "starting the machine"},
         {"kernel", "Linux starts"},
         {"init", "setting up the machine"},
         {"modules", "loading drivers"},
         {"root", "opening the system's disk"},
         {"disk", "opening the agent's disk"},
         {"guestd", "starting the agent's supervisor"},
         {"channels", "connecting to the machine"},
         {"agent", "preparing the agent's account"},
         {"shares", "bringing in the shared folders"}}};
    const auto* found =
        std::find_if(kSteps.begin(), kSteps.end(), [&](const auto& entry) { return entry.first == step; });
    return found == kSteps.end() ? std::string_view() : found->second;
}

} // namespace carrel::agents
