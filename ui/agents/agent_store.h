// SPDX-License-Identifier: Apache-2.0
// All agents, as the engine tells them, kept up to date by its word (agent.wait) and never by asking again and again. What a page
// shows of an agent it takes from here. Owner: the application. Thread: the window's.
#pragma once

#include "ui/agents/agent_info.h"
#include "ui/engine/engine_link.h"
#include "ui/engine/news.h"

#include <QObject>
#include <QPointer>

namespace carrel::ui {

class AgentStore : public QObject {
    Q_OBJECT
public:
    explicit AgentStore(EngineLink& link);

    [[nodiscard]] const QVector<AgentInfo>& agents() const { return m_agents; } // by name
    [[nodiscard]] const AgentInfo* find(const QString& name) const;             // null: there is none; until changed()
    // The list was read at least once from the engine that there is.
    [[nodiscard]] bool known() const { return m_known; }

    // Asks at once: after something that this window did, so that it shows without a moment's delay.
    void refresh();

signals:
    void changed();

private:
    void list();
    void listed(const Answer& answer);

    EngineLink& m_link;
    News m_news;
    QVector<AgentInfo> m_agents;
    bool m_known = false;
    bool m_again = false; // asked for while a list was under way
    QPointer<Request> m_list;
};

} // namespace carrel::ui
