// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/task_notices.h"

#include <algorithm>

namespace carrel::desktop {

TaskNotices::TaskNotices(Notifier& to, NameOf nameOf)
    : m_to(to)
    , m_nameOf(std::move(nameOf)) {}

void TaskNotices::raised(const std::string& agent, std::uint64_t task, Waiting::What what) {
    Waiting waiting;
    waiting.agentName = m_nameOf(agent);
    waiting.what = what;
    waiting.task = task;
    const std::lock_guard lock(m_mutex);
    auto [at, isNew] = m_shown.try_emplace(agent);
    if (!isNew && at->second.task != task) { // as one of its own: what a person has closed stays closed
        m_to.withdraw(at->second.id);
        at->second = {};
    }
    if (at->second.id == 0) {
        at->second.id = m_next++;
    }
    waiting.id = at->second.id;
    waiting.revision = ++at->second.revision;
    at->second.task = task;
    m_to.show(waiting);
    if (m_shown.size() > kMost) {
        const auto oldest = std::min_element(m_shown.begin(), m_shown.end(), [](const auto& a, const auto& b) { return a.second.id < b.second.id; });
        m_to.withdraw(oldest->second.id);
        m_shown.erase(oldest);
    }
}

void TaskNotices::over(const std::string& agent, std::uint64_t task) {
    const std::lock_guard lock(m_mutex);
    if (const auto at = m_shown.find(agent); at != m_shown.end() && at->second.task == task) {
        m_to.withdraw(at->second.id);
        m_shown.erase(at);
    }
}

} // namespace carrel::desktop
