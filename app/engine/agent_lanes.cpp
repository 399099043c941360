// SPDX-License-Identifier: Apache-2.0
#include "app/engine/agent_lanes.h"

#include <algorithm>
#include <system_error>

namespace carrel::engine {

AgentLanes::~AgentLanes() {
    stop();
}

void AgentLanes::post(const std::string& agent, std::string name, std::function<void()> work) {
    const std::lock_guard lock(m_mutex);
    if (m_stopped) {
        return;
    }
    auto& lane = m_lanes[agent];
    const bool known = std::any_of(lane.waiting.begin(), lane.waiting.end(), [&](const Piece& each) { return each.name == name; });
    if (!known) {
        lane.waiting.push_back({std::move(name), std::move(work)});
    }
    if (!lane.over) {
        return;
    }
    if (lane.thread.joinable()) {
        lane.thread.join(); // it only has to end
    }
    try {
        lane.thread = std::thread([this, &lane] { run(lane); });
        lane.over = false;
    } catch (const std::system_error&) { // no room for a thread: whatever is posted next tries again
    }
}

void AgentLanes::run(Lane& lane) {
    for (;;) {
        Piece next;
        {
            const std::lock_guard lock(m_mutex);
            if (lane.waiting.empty() || m_stopped) {
                lane.over = true;
                return;
            }
            next = std::move(lane.waiting.front());
            lane.waiting.pop_front();
        }
        next.work();
    }
}

void AgentLanes::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stopped = true;
    }
    for (auto& [agent, lane] : m_lanes) { // no lane is added any more
        if (lane.thread.joinable()) {
            lane.thread.join();
        }
    }
}

} // namespace carrel::engine
