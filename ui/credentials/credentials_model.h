// SPDX-License-Identifier: Apache-2.0
// The credentials there are, as a table. Thread: the window's.
#pragma once

#include "ui/credentials/credential_info.h"
#include "ui/parts/table_model.h"

namespace carrel::ui {

class CredentialsModel : public RowsModel<CredentialInfo> {
    Q_OBJECT
public:
    enum Column { Name, Hosts, Written, Agents, Kept, Used, Columns };

    explicit CredentialsModel(QObject* parent)
        : RowsModel(Columns, parent) {}

    void take(const QVector<CredentialInfo>& now); // known by their names; the engine tells the newest last
    [[nodiscard]] int rowOf(const std::string& name) const; // -1: there is none

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
};

} // namespace carrel::ui
