// SPDX-License-Identifier: Apache-2.0
// Between tasks and a Notifier: what a person has to look at is shown, one notice of each task, until that is over. What a task has come to
// is shown until the next word about it; kMost of them are remembered, and then the oldest goes.
// Owner: the engine's main; outlives the engine, and the notifier outlives it. Thread: any.
#pragma once

#include "app/desktop/notifier.h"

#include <functional>
#include <map>
#include <mutex>
#include <string_view>

namespace carrel::desktop {

class TaskNotices {
public:
    static constexpr std::size_t kMost = 64;
    // What a person knows the agent by; called without a lock of this object's. Thread: any.
    using NameOf = std::function<std::string(std::string_view agent)>;
    TaskNotices(Notifier& to, NameOf nameOf);

    void raised(const std::string& agent, std::uint64_t task, Waiting::What what);
    void over(const std::string& agent, std::uint64_t task);

private:
    Notifier& m_to;
    const NameOf m_nameOf;
    std::mutex m_mutex; // also across the notifier's calls, which would otherwise come in another order
    struct Shown {
        std::uint64_t id = 0, revision = 0;
    };
    std::map<std::pair<std::string, std::uint64_t>, Shown> m_shown;
    std::uint64_t m_next = kFirstTask;
};

} // namespace carrel::desktop
