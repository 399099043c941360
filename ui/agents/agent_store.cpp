// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agent_store.h"

#include "app/api/answers.h"

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds kAfterAnError{2};
} // namespace

AgentStore::AgentStore(EngineLink& link)
    : m_link(link) {
    m_later.setSingleShot(true);
    connect(&m_later, &QTimer::timeout, this, &AgentStore::wait);
    connect(&m_link, &EngineLink::ready, this, [this] {
        m_mark = nullptr;
        wait();
        refresh();
    });
}

const AgentInfo* AgentStore::find(const QString& name) const {
    const auto found = std::find_if(m_agents.begin(), m_agents.end(), [&](const AgentInfo& each) { return each.name == name; });
    return found == m_agents.end() ? nullptr : &*found;
}

void AgentStore::refresh() {
    if (m_list) {
        m_again = true;
        return;
    }
    list();
}

void AgentStore::list() {
    m_again = false;
    m_list = m_link.ask("agent.list", {}, this, [this](const Answer& answer) { listed(answer); });
}

void AgentStore::listed(const Answer& answer) {
    m_list = nullptr;
    if (answer) {
        QVector<AgentInfo> agents;
        for (const auto& each : api::listAt(*answer, "agents")) {
            if (each.is_object()) {
                agents.push_back(agentFrom(each.get_object()));
            }
        }
        std::sort(agents.begin(), agents.end(), [](const AgentInfo& a, const AgentInfo& b) { return a.name < b.name; });
        const bool differs = !m_known || agents != m_agents;
        m_known = true;
        if (differs) {
            m_agents = std::move(agents);
            emit changed();
        }
    }
    if (m_again) {
        list();
    }
}

// The mark is of a moment before the list is asked for, so that nothing falls between the two.
void AgentStore::wait() {
    delete m_wait;
    json::object params;
    if (!m_mark.is_null()) {
        params["mark"] = m_mark;
    }
    m_wait = m_link.ask("agent.wait", std::move(params), this, [this](const Answer& answer) {
        m_wait = nullptr;
        if (!answer) {
            // Where the engine is gone, its return begins anew.
            m_later.start(kAfterAnError);
            return;
        }
        if (const auto* const mark = answer->if_contains("mark")) {
            m_mark = *mark;
        }
        refresh();
        wait();
    });
}

} // namespace carrel::ui
