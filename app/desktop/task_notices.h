// SPDX-License-Identifier: Apache-2.0
// Between tasks and a Notifier: what a person has to look at is shown, one notice of each agent, as it works on one task at a time: what the
// task waits for until that is over, and what it has come to until the next word about a task of that agent. A notice for each task would
// fill what NoticeBoard has room for with tasks that are done, and what waits for an answer would not appear. kMost are remembered, and then
// the oldest goes.
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
        std::uint64_t id = 0, revision = 0, task = 0;
    };
    std::map<std::string, Shown> m_shown; // by agent
    std::uint64_t m_next = kFirstTask;
};

} // namespace carrel::desktop
