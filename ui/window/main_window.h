// SPDX-License-Identifier: Apache-2.0
// The desktop's window: the agents, what waits for the user, and one of them in the middle. It can be used whatever the engine
// does. "Pause everything" is always there: nothing stands in
// front of it but a question that has to be answered. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"

#include <QHash>
#include <QMainWindow>
#include <QPointer>

class QAction;
class QListView;
class QPushButton;
class QSplitter;
class QStackedWidget;

namespace carrel::ui {

class AgentPage;
class AgentsModel;
class ApprovalStore;
class ApprovalsPage;
class CreateDialog;
class CredentialsPage;
class DoctorWindow;
class MessageBar;
class ProviderStore;
class WelcomePage;

class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    explicit MainWindow(EngineLink& link);
    ~MainWindow() override;

    // As the user's click would.
    void showAgent(const QString& name);
    void showApprovals();
    void showCredentials();
    void newAgent();
    void newAgentWith(const QString& folder); // which the user has just chosen
    void pauseEverything();
    [[nodiscard]] AgentPage* page(const QString& name); // made when it is first asked for

protected:
    void closeEvent(QCloseEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void makeActions();
    [[nodiscard]] QIcon pauseIcon() const;
    void engineChanged();
    void agentsChanged();
    void approvalsChanged();
    void resumeEverything();
    void examine();
    void addPages(AgentPage& page, const QString& agent);
    void made(const QString& agent, bool start, const QStringList& notes);
    void restoreState();
    void told(const Answer& answer, const QString& nobody);

    EngineLink& m_link;
    AgentStore m_store;
    std::unique_ptr<ApprovalStore> m_approvals;
    std::unique_ptr<ProviderStore> m_providers;
    AgentsModel* m_model;
    QListView* m_list;
    QSplitter* m_splitter;
    QStackedWidget* m_middle;
    WelcomePage* m_welcome;
    ApprovalsPage* m_inbox;
    CredentialsPage* m_credentials;
    MessageBar* m_engineBar;
    MessageBar* m_bar;
    QPushButton* m_new;
    QAction* m_inboxAction = nullptr;
    QAction* m_pauseAll = nullptr;
    QAction* m_resumeAll = nullptr;
    QHash<QString, AgentPage*> m_pages;
    QPointer<DoctorWindow> m_doctor;
    QPointer<CreateDialog> m_create;
    bool m_closesAllTheSame = false;
    QString m_wanted; // to be shown as soon as it is known
    bool m_chosenOnce = false;
};

} // namespace carrel::ui
