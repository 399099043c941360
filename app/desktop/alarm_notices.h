// SPDX-License-Identifier: Apache-2.0
// Between the agents' alarms and a Notifier: one of each agent that has to be looked at is shown, until that is over.
// Owner: the engine's main; outlives the engine, and the notifier outlives it. Thread: any.
#pragma once

#include "app/desktop/notifier.h"

#include <functional>
#include <map>
#include <mutex>
#include <string_view>

namespace carrel::desktop {

class AlarmNotices {
public:
    // What a person knows the agent by; called without a lock of this object's. Thread: any.
    using NameOf = std::function<std::string(std::string_view agent)>;
    AlarmNotices(Notifier& to, NameOf nameOf);

    void raised(const std::string& agent, Waiting::What what);
    void over(const std::string& agent);

private:
    Notifier& m_to;
    const NameOf m_nameOf;
    std::mutex m_mutex; // also across the notifier's calls, which would otherwise come in another order
    struct Shown {
        std::uint64_t id = 0, revision = 0;
    };
    std::map<std::string, Shown> m_shown; // by agent
    std::uint64_t m_next = kFirstAlarm;
};

} // namespace carrel::desktop
