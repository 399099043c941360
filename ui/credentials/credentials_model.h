// SPDX-License-Identifier: Apache-2.0
// The credentials there are, as a table: rows come, go and change one by one, so that what is selected stays. Thread: the window's.
#pragma once

#include "ui/credentials/credential_info.h"

#include <QAbstractTableModel>

namespace carrel::ui {

class CredentialsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Name, Hosts, Written, Agents, Kept, Used, Columns };

    explicit CredentialsModel(QObject* parent);

    void take(const QVector<CredentialInfo>& now); // known by their names; the engine tells the newest last
    [[nodiscard]] const CredentialInfo& at(int row) const { return m_rows.at(row); }
    [[nodiscard]] const QVector<CredentialInfo>& all() const { return m_rows; }
    [[nodiscard]] int rowOf(const std::string& name) const; // -1: there is none

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QVector<CredentialInfo> m_rows;
};

} // namespace carrel::ui
