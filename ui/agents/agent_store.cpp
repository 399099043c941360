// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agent_store.h"

#include "app/api/answers.h"

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;

AgentStore::AgentStore(EngineLink& link)
    : m_link(link)
    , m_news(link, "agent.wait", this) {
    connect(&m_news, &News::told, this, &AgentStore::refresh);
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

} // namespace carrel::ui
