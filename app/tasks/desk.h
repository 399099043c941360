// SPDX-License-Identifier: Apache-2.0
// The tasks of all agents: a lane each (lane.h), made when its agent is known. Ownership: the engine's; stop() before what its world is made
// of goes. Thread: any.
#pragma once

#include "app/tasks/lane.h"

#include <map>
#include <set>

namespace carrel::tasks {

class TaskDesk {
public:
    // `changed`: some task is other than before. It must neither wait nor call the desk.
    TaskDesk(World world, std::function<void()> changed, Lane::Pace pace = {});
    ~TaskDesk() { stop(); }
    TaskDesk(const TaskDesk&) = delete;
    TaskDesk& operator=(const TaskDesk&) = delete;

    // That agent's; what goes on goes on from here. NotFound: there is no such agent. Unavailable: stopped. Conflict: it is closed.
    [[nodiscard]] Result<std::shared_ptr<Lane>> of(const std::string& agentId);
    // Something that tasks may wait for has changed.
    void wake();
    // An agent is about to be deleted: its lane is stopped, and there is none while this lives. Where the agent is there all the same when
    // it ends, its tasks go on. Ownership: the caller's; before the desk. Waits for the lane's thread: with no lock or turn of the agent's.
    class Closed {
    public:
        Closed(TaskDesk& desk, std::string agentId);
        ~Closed();
        Closed(const Closed&) = delete;
        Closed& operator=(const Closed&) = delete;

    private:
        TaskDesk& m_desk;
        const std::string m_agent;
    };
    void stop();

private:
    World m_world;
    std::function<void()> m_changed;
    Lane::Pace m_pace;
    std::mutex m_mutex;
    std::map<std::string, std::shared_ptr<Lane>> m_lanes;
    std::multiset<std::string> m_closed; // by each who closed it
    bool m_stopped = false;
};

} // namespace carrel::tasks
