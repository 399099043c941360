// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/desk.h"

namespace carrel::tasks {

TaskDesk::TaskDesk(World world, std::function<void()> changed, Lane::Pace pace)
    : m_world(std::move(world))
    , m_changed(std::move(changed))
    , m_pace(pace) {}

Result<std::shared_ptr<Lane>> TaskDesk::of(const std::string& agentId) {
    const std::lock_guard lock(m_mutex);
    if (m_stopped) {
        return fail(ErrorCode::Unavailable, "the engine is ending", "Try again");
    }
    if (const auto known = m_lanes.find(agentId); known != m_lanes.end()) {
        return known->second;
    }
    auto hands = m_world.agent(agentId);
    if (!hands) {
        return fail(ErrorCode::NotFound, "there is no such agent", "See: carrel list");
    }
    auto opened = Lane::open(m_world, std::move(hands), m_changed, m_pace);
    if (!opened) {
        return fail(std::move(opened).error());
    }
    return m_lanes.emplace(agentId, std::move(*opened)).first->second;
}

void TaskDesk::wake() {
    std::vector<std::shared_ptr<Lane>> all;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [agent, lane] : m_lanes) {
            all.push_back(lane);
        }
    }
    for (const auto& lane : all) {
        lane->wake();
    }
}

void TaskDesk::forget(const std::string& agentId) {
    std::shared_ptr<Lane> lane;
    {
        const std::lock_guard lock(m_mutex);
        if (auto gone = m_lanes.extract(agentId)) {
            lane = std::move(gone.mapped());
        }
    }
    if (lane) {
        lane->stop();
    }
}

void TaskDesk::stop() {
    std::map<std::string, std::shared_ptr<Lane>> all;
    {
        const std::lock_guard lock(m_mutex);
        m_stopped = true;
        all.swap(m_lanes);
    }
    for (const auto& [agent, lane] : all) {
        lane->stop();
    }
}

} // namespace carrel::tasks
