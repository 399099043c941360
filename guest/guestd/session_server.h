// SPDX-License-Identifier: Apache-2.0
// All sessions of the terminals channel, on one thread of their own.
// Thread: handle() from the channel's thread; start(), stop() from the owner's. The spawner is asked for at
// each start, because the agent's account may be made anew.
#pragma once

#include "guest/guestd/session.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>

namespace carrel::guestd {

class SessionServer {
public:
    using SpawnerSource = std::function<std::shared_ptr<Spawner>()>; // null: none now

    explicit SessionServer(SpawnerSource spawners);
    ~SessionServer();
    SessionServer(const SessionServer&) = delete;
    SessionServer& operator=(const SessionServer&) = delete;

    // Which streams the host may open: the control and input streams of sessions 1 … kMaxSessions.
    [[nodiscard]] static std::optional<StreamKind> accept(std::uint32_t stream);

    // The channel must outlive this and call handle() for every event.
    [[nodiscard]] Status start(Channel& channel);
    void handle(ChannelEvent&& event);
    void stop();

private:
    void run();
    void take(ChannelEvent& event);
    void newEpoch(EpochNumber epoch);
    Session* sessionFor(std::uint32_t number);
    void sweep();

    SpawnerSource m_spawners;
    Channel* m_channel = nullptr;
    UniqueFd m_wake;
    std::mutex m_mutex;
    std::vector<ChannelEvent> m_inbox;
    bool m_stop = false;
    std::thread m_thread;
    // Below: the thread's own.
    EpochNumber m_epoch = 0;
    std::map<std::uint32_t, std::unique_ptr<Session>> m_sessions;
    std::vector<std::unique_ptr<Session>> m_leaving; // hung up, the process not gone yet
    std::set<std::uint32_t> m_over; // numbers used up in this epoch: late input is for nobody
};

} // namespace carrel::guestd
