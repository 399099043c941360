// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/alarm_notices.h"

namespace carrel::desktop {

AlarmNotices::AlarmNotices(Notifier& to, NameOf nameOf)
    : m_to(to)
    , m_nameOf(std::move(nameOf)) {}

void AlarmNotices::raised(const std::string& agent, Waiting::What what) {
    Waiting waiting;
    waiting.agentName = m_nameOf(agent);
    waiting.risk = policy::Risk::High;
    waiting.what = what;
    const std::lock_guard lock(m_mutex);
    auto [at, isNew] = m_shown.try_emplace(agent);
    if (isNew) {
        at->second.id = m_next++;
    }
    waiting.id = at->second.id;
    waiting.revision = ++at->second.revision;
    m_to.show(waiting);
}

void AlarmNotices::over(const std::string& agent) {
    const std::lock_guard lock(m_mutex);
    if (const auto at = m_shown.find(agent); at != m_shown.end()) {
        m_to.withdraw(at->second.id);
        m_shown.erase(at);
    }
}

} // namespace carrel::desktop
