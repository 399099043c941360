// SPDX-License-Identifier: Apache-2.0
// The credentials of the owner, in the window beside the requests: what there is, where each goes and how, for whom, where it is kept
// and when it was used; added, tried, removed; the sealed file opened and locked. Shown, it reads anew when it is told that they are
// others, and now and then for when they were used. No value ever comes here but the one that is being typed.
// Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/credentials/credential_info.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

class QPushButton;
class QSplitter;
class QStackedWidget;
class QTableView;
class QTreeWidget;

namespace carrel::ui {

class AddCredentialDialog;
class CredentialsModel;
class EmptyState;
class MessageBar;
class PlainLabel;

class CredentialsPage : public QWidget {
    Q_OBJECT
public:
    CredentialsPage(EngineLink& link, AgentStore& agents, QWidget* parent);

    void refresh(); // they may be others than they were

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void layOut();
    void look(const std::string& name); // at that one, as soon as it is known
    void ask();
    void take(const Answer& answer);
    void askSealed();
    void takeSealed(const Answer& answer);
    void tellSealed();
    void choose();
    void add();
    void addNow(const std::string& place);
    void unlock(std::function<void()> then);
    void lock();
    void test();
    void tested(const Answer& answer);
    void remove();
    void removed(const Answer& answer);
    [[nodiscard]] const CredentialInfo* current() const;

    EngineLink& m_link;
    AgentStore& m_agents;
    CredentialsModel* m_model;
    MessageBar* m_bar;
    MessageBar* m_lockedBar;
    QStackedWidget* m_stack;
    EmptyState* m_empty;
    QWidget* m_some;
    QTableView* m_view;
    PlainLabel* m_title;
    QWidget* m_details;
    QVector<std::pair<PlainLabel*, QString (*)(const CredentialInfo&)>> m_facts;
    PlainLabel* m_result;
    QTreeWidget* m_uses;
    QPushButton* m_add;
    QPushButton* m_test;
    QPushButton* m_remove;
    QWidget* m_openRow; // while the sealed file is open
    QPushButton* m_lock;
    QPointer<AddCredentialDialog> m_adding;
    QPointer<Request> m_list;
    QPointer<Request> m_sealedRequest;
    QPointer<Request> m_testing;
    QTimer m_next;
    std::string m_sealed; // "absent", "locked", "ready", or not known yet
    std::string m_wanted;
    std::string m_tested; // whose result is shown
    bool m_again = false;
};

} // namespace carrel::ui
