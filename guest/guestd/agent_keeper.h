// SPDX-License-Identifier: Apache-2.0
// Keeps the agent's account standing: makes it, names it, tells it whom to trust, and makes it again when its first process
// ended (the kernel then ended everything in it). Thread: any.
#pragma once

#include "guest/guestd/agent_space.h"

#include <functional>
#include <thread>

namespace carrel::guestd {

class AgentKeeper {
public:
    using Log = std::function<void(std::string_view text)>;
    // Each time that the account was made, before anything of the agent's runs there.
    using Made = std::function<void(AgentSpace& space)>;

    AgentKeeper(AgentPlaces places, Made made, Log log);
    ~AgentKeeper();
    AgentKeeper(const AgentKeeper&) = delete;
    AgentKeeper& operator=(const AgentKeeper&) = delete;

    [[nodiscard]] Status start();
    [[nodiscard]] std::shared_ptr<Spawner> spawner(); // null while there is none
    [[nodiscard]] Status setName(const std::string& name);
    // The agent's programs trust it from here on, also when the account is made again. Where that fails it is asked for again by
    // the next call, and tried with the next account.
    [[nodiscard]] Status setAuthority(const AuthorityCertificate& authority);
    // Kills every process of the agent's, for good.
    void end();

private:
    void watch();
    [[nodiscard]] Status make();

    AgentPlaces m_places;
    Made m_made;
    Log m_log;
    UniqueFd m_wake;
    std::mutex m_mutex;
    std::shared_ptr<AgentSpace> m_space;
    std::string m_name;
    std::optional<AuthorityCertificate> m_authority;
    bool m_end = false;
    std::thread m_thread;
};

} // namespace carrel::guestd
