// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/agent_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace carrel::guestd {

AgentKeeper::AgentKeeper(AgentPlaces places, Made made, Log log)
    : m_places(std::move(places))
    , m_made(std::move(made))
    , m_log(std::move(log))
    , m_wake(::eventfd(0, EFD_CLOEXEC)) {}

AgentKeeper::~AgentKeeper() {
    end();
}

Status AgentKeeper::make() {
    auto space = AgentSpace::create(m_places);
    if (!space) {
        return fail(space.error());
    }
    m_made(**space);
    const std::lock_guard lock(m_mutex);
    m_space = std::move(*space);
    if (!m_name.empty()) {
        CARREL_TRY(m_space->setHostname(m_name));
    }
    if (m_authority) {
        if (const auto trusted = m_space->trust(*m_authority); !trusted) {
            m_log("the agent's programs do not trust its authority any more: " + trusted.error().text());
        }
    }
    return {};
}

Status AgentKeeper::start() {
    clearCgroup(m_places.cgroup);
    CARREL_TRY(make());
    m_thread = std::thread([this] { watch(); });
    return {};
}

std::shared_ptr<Spawner> AgentKeeper::spawner() {
    const std::lock_guard lock(m_mutex);
    return m_end ? nullptr : m_space;
}

Status AgentKeeper::setName(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    m_name = name;
    if (!m_space) {
        return fail(ErrorCode::Unavailable, "the agent's account does not stand");
    }
    return m_space->setHostname(name);
}

Status AgentKeeper::setAuthority(const AuthorityCertificate& authority) {
    const std::lock_guard lock(m_mutex);
    m_authority = authority;
    return m_space ? m_space->trust(authority) : Status(); // else make() does it
}

void AgentKeeper::watch() {
    for (;;) {
        int init = -1;
        {
            const std::lock_guard lock(m_mutex);
            if (m_end) {
                return;
            }
            init = m_space ? m_space->initPidfd() : -1; // a negative descriptor is left out by poll(2)
        }
        pollfd wait[2] = {{init, POLLIN, 0}, {m_wake.get(), POLLIN, 0}};
        ::poll(wait, 2, -1);
        std::shared_ptr<AgentSpace> old;
        {
            const std::lock_guard lock(m_mutex);
            if (m_end) {
                return;
            }
            old = std::move(m_space);
        }
        m_log(
            "the agent's first process ended, and with it all of its processes; its account is set up again");
        old.reset();
        if (const auto status = make(); !status) {
            m_log("the agent's account cannot be set up again: " + status.error().text());
        }
    }
}

void AgentKeeper::end() {
    std::shared_ptr<AgentSpace> last;
    {
        const std::lock_guard lock(m_mutex);
        m_end = true;
        last = std::move(m_space);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
    if (m_thread.joinable()) {
        m_thread.join();
    }
    if (last) {
        last->killAll();
    }
}

} // namespace carrel::guestd
