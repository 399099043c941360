// SPDX-License-Identifier: Apache-2.0
// What the agent's machine tells of its programs, for as long as it runs (watcher.h).
#include "app/agents/agent.h"

namespace carrel::agents {

void Agent::watchPrograms() {
    watchNoMore();
    auto watcher = std::make_unique<Watcher>(
        Watcher::World{[this] {
                           if (state() != AgentState::Ready) {
                               return false;
                           }
                           const auto at = door();
                           return at && at->alive() && !at->calledOff();
                       },
                       [this](const watch::Ask& ask, std::stop_token stop) -> Result<boost::json::object> {
                           auto at = readyDoor();
                           if (!at) {
                               return fail(std::move(at).error());
                           }
                           const auto patience = std::chrono::ceil<std::chrono::seconds>(ask.wait) + m_services.patience.hearing;
                           return (*at)->request(watch::kMethod, watch::paramsOf(ask), {}, std::move(stop), patience);
                       },
                       [this](std::span<const activity::WrittenEvent> events) { return m_log->append(events); },
                       [this](std::string_view trouble) { m_services.complain(name() + ": " + std::string(trouble)); }},
        m_services.patience.watching, Watcher::lastHeard(*m_log));
    {
        const std::lock_guard lock(m_mutex);
        watcher.swap(m_watcher);
    }
}

void Agent::watchNoMore() {
    std::unique_ptr<Watcher> watcher; // ended without the lock: it needs it
    const std::lock_guard lock(m_mutex);
    watcher.swap(m_watcher);
}

} // namespace carrel::agents
