// SPDX-License-Identifier: Apache-2.0
// The agents as a list for a view: rows come, go and change one by one, so that the selection stays. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"

#include <QAbstractListModel>

namespace carrel::ui {

class AgentsModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { StateRole = Qt::UserRole + 1, StateTextRole, StagedRole, NetworkRole };

    AgentsModel(AgentStore& store, QObject* parent);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QModelIndex indexOf(const QString& name) const;

private:
    void update();

    AgentStore& m_store;
    QVector<AgentInfo> m_rows;
};

} // namespace carrel::ui
