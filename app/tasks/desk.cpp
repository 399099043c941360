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
    if (m_closed.contains(agentId)) {
        return fail(ErrorCode::Conflict, "the agent is being deleted", "See: carrel list");
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

TaskDesk::Closed::Closed(TaskDesk& desk, std::string agentId)
    : m_desk(desk)
    , m_agent(std::move(agentId)) {
    std::shared_ptr<Lane> lane;
    {
        const std::lock_guard lock(m_desk.m_mutex);
        m_desk.m_closed.insert(m_agent);
        if (auto gone = m_desk.m_lanes.extract(m_agent)) {
            lane = std::move(gone.mapped());
        }
    }
    if (lane) {
        lane->stop();
    }
}

TaskDesk::Closed::~Closed() {
    {
        const std::lock_guard lock(m_desk.m_mutex);
        m_desk.m_closed.erase(m_desk.m_closed.find(m_agent));
    }
    const auto lane = m_desk.of(m_agent);
    if (!lane && lane.error().code != ErrorCode::NotFound && lane.error().code != ErrorCode::Conflict && lane.error().code != ErrorCode::Unavailable) {
        m_desk.m_world.complain("the tasks of an agent that is not deleted cannot go on: " + lane.error().text());
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
