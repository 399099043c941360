// SPDX-License-Identifier: Apache-2.0
// The folders of one agent, as a table. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/parts/table_model.h"

namespace carrel::ui {

class FoldersModel : public RowsModel<ShareInfo> {
    Q_OBJECT
public:
    enum Column { Folder, InMachine, Mode, Waiting, State, Columns };

    FoldersModel(AgentStore& store, const QString& agent, QObject* parent);

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] QString tip(int row, int column) const override;
    [[nodiscard]] bool isAmount(int column) const override { return column == Waiting; }

private:
    void update();

    AgentStore& m_store;
    QString m_agent;
};

} // namespace carrel::ui
