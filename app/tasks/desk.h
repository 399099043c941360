// SPDX-License-Identifier: Apache-2.0
// The tasks of all agents: a lane each (lane.h), made when its agent is known. Ownership: the engine's; stop() before what its world is made
// of goes. Thread: any.
#pragma once

#include "app/tasks/lane.h"

#include <map>

namespace carrel::tasks {

class TaskDesk {
public:
    // `changed`: some task is other than before. It must neither wait nor call the desk.
    TaskDesk(World world, std::function<void()> changed, Lane::Pace pace = {});
    ~TaskDesk() { stop(); }
    TaskDesk(const TaskDesk&) = delete;
    TaskDesk& operator=(const TaskDesk&) = delete;

    // That agent's; what goes on goes on from here. NotFound: there is no such agent. Unavailable: stopped.
    [[nodiscard]] Result<std::shared_ptr<Lane>> of(const std::string& agentId);
    // Something that tasks may wait for has changed.
    void wake();
    void forget(const std::string& agentId); // it is deleted
    void stop();

private:
    World m_world;
    std::function<void()> m_changed;
    Lane::Pace m_pace;
    std::mutex m_mutex;
    std::map<std::string, std::shared_ptr<Lane>> m_lanes;
    bool m_stopped = false;
};

} // namespace carrel::tasks
