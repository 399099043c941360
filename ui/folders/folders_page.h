// SPDX-License-Identifier: Apache-2.0
// The folders that an agent has, and what can be done with them: give it another, choose what becomes of changes, take access away
// at once, end the share. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"

#include <QPointer>
#include <QWidget>

class QAction;
class QPushButton;
class QTableView;

namespace carrel::ui {

class FoldersModel;
class MessageBar;

class FoldersPage : public QWidget {
    Q_OBJECT
public:
    FoldersPage(EngineLink& link, AgentStore& store, const QString& agent, QWidget* parent);

    void addFolder(const QString& directory); // as if it had been chosen

private:
    void setMode(ShareMode mode);
    void revoke();
    void remove();
    void removeNow(const std::string& share, bool discard);
    void check();
    [[nodiscard]] const ShareInfo* current() const;
    void done(const Answer& answer, const QString& what);

    EngineLink& m_link;
    AgentStore& m_store;
    QString m_agent;
    FoldersModel* m_model;
    QTableView* m_view;
    MessageBar* m_bar;
    QPushButton* m_mode;
    QPushButton* m_revoke;
    QPushButton* m_remove;
};

} // namespace carrel::ui
