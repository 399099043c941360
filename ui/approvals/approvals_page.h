// SPDX-License-Identifier: Apache-2.0
// The inbox: what agents ask of the user, open ones first, and the one that is looked at. Thread: the window's.
#pragma once

#include "ui/approvals/approval_store.h"

#include <QWidget>

class QListView;

namespace carrel::ui {

class ApprovalsModel;
class MessageBar;
class EmptyState;
class RequestView;

class ApprovalsPage : public QWidget {
    Q_OBJECT
public:
    ApprovalsPage(EngineLink& link, ApprovalStore& store, QWidget* parent);

    [[nodiscard]] RequestView& request() { return *m_request; }

protected:
    void showEvent(QShowEvent* event) override;

private:
    void storeChanged();
    void choose(const QModelIndex& index);

    ApprovalStore& m_store;
    ApprovalsModel* m_model;
    QListView* m_list;
    RequestView* m_request;
    EmptyState* m_empty;
    MessageBar* m_trouble;
    MessageBar* m_notices;
    std::uint64_t m_current = 0;
};

} // namespace carrel::ui
