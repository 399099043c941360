// SPDX-License-Identifier: Apache-2.0
// Work that waits for an agent's machine, one piece after the other for each agent, and none for another's: a guest that
// draws something out holds up itself alone.
//
// Owner: Approvals. A thread for each agent that has work, as long as it has. Destroying it drops what has not begun and
// waits for what has. Thread: any.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace carrel::engine {

class AgentLanes {
public:
    AgentLanes() = default;
    ~AgentLanes();
    AgentLanes(const AgentLanes&) = delete;
    AgentLanes& operator=(const AgentLanes&) = delete;

    // Not a second time while one of that name has not begun.
    void post(const std::string& agent, std::string name, std::function<void()> work);
    void stop();

private:
    struct Piece {
        std::string name;
        std::function<void()> work;
    };
    struct Lane {
        std::deque<Piece> waiting;
        std::thread thread;
        bool over = true; // no thread runs, or the one there is has nothing left to do
    };
    void run(Lane& lane);

    std::mutex m_mutex;
    bool m_stopped = false;
    std::map<std::string, Lane> m_lanes; // a lane stays where it is
};

} // namespace carrel::engine
