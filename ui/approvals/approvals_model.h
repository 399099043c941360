// SPDX-License-Identifier: Apache-2.0
// The requests as a list. Thread: the window's.
#pragma once

#include "ui/approvals/approval_store.h"

#include <QAbstractListModel>

namespace carrel::ui {

class ApprovalsModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { IdRole = Qt::UserRole + 1, OpenRole, HighRole, SecondLineRole };

    ApprovalsModel(ApprovalStore& store, QObject* parent);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QModelIndex indexOf(std::uint64_t id) const;

private:
    void update();

    ApprovalStore& m_store;
    QVector<ApprovalInfo> m_rows;
};

// In the user's language: "Waits for you", "Allowed for this once by owner", "Expired: nobody answered in time".
[[nodiscard]] QString approvalStateText(const ApprovalInfo& approval);

} // namespace carrel::ui
