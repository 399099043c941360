// SPDX-License-Identifier: Apache-2.0
// The folders of one agent, as a table. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"

#include <QAbstractTableModel>

namespace carrel::ui {

class FoldersModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Folder, InMachine, Mode, Waiting, State, Columns };

    FoldersModel(AgentStore& store, const QString& agent, QObject* parent);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    [[nodiscard]] const ShareInfo& at(int row) const { return m_rows.at(row); }

private:
    void update();

    AgentStore& m_store;
    QString m_agent;
    QVector<ShareInfo> m_rows;
};

} // namespace carrel::ui
