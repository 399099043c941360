// SPDX-License-Identifier: Apache-2.0
// An agent's network: how it reaches it, how much it may carry, what is connected now, what of it is shown in a browser
// (forwards_section.h), the rules that speak of it, and what did not come about lately. Shown, it asks for what is connected once a
// second, and follows the log; the rules, and the credentials that reach the agent, are read when the engine says that they are others.
// To take the network away, or one connection, is done at once; to give more is asked for by name. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/approvals/approval_store.h"
#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

class QFrame;
class QPushButton;
class QTableView;

namespace carrel::ui {

class ForwardsSection;
class LiveModel;
class MessageBar;
class PlainLabel;
class RefusedModel;
class RulesModel;

class NetworkPage : public QWidget {
    Q_OBJECT
public:
    NetworkPage(EngineLink& link, AgentStore& agents, ApprovalStore& approvals, const QString& agent, QWidget* parent);

signals:
    void credentialsWanted(); // to be shown, all of them

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void layOut();
    void begin(); // to ask for everything, from now on
    void fillMode();
    void chooseMode();
    void setMode(NetMode mode);
    void fillLimits();
    void chooseLimits();
    void setLimits(std::uint64_t rate, std::uint64_t day);
    void askLive();
    void takeLive(const Answer& answer);
    void checkLive();
    void cut();
    void askCredentials();
    void takeCredentials(const Answer& answer);
    void askRules();
    void takeRules(const Answer& answer);
    void askRefused();
    void takeRefused(const Answer& answer);
    void follow();
    void removeRule();
    void checkRules();
    void choosePreset();
    [[nodiscard]] boost::json::object ofAgent() const;

    EngineLink& m_link;
    AgentStore& m_agents;
    QString m_agent;
    LiveModel* m_live;
    RulesModel* m_rules;
    RefusedModel* m_refused;
    MessageBar* m_bar;
    QFrame* m_modeFrame;
    PlainLabel* m_mode;
    PlainLabel* m_modeWords;
    PlainLabel* m_limitWords;
    QPushButton* m_change;
    QPushButton* m_limit;
    QPushButton* m_offline;
    QFrame* m_keysFrame; // the credentials that reach it
    PlainLabel* m_keysTitle;
    PlainLabel* m_keys;
    QPushButton* m_allKeys;
    PlainLabel* m_liveTitle;
    QTableView* m_liveView;
    QPushButton* m_cut;
    ForwardsSection* m_forwards;
    PlainLabel* m_rulesTitle;
    QTableView* m_rulesView;
    QPushButton* m_preset;
    QPushButton* m_remove;
    PlainLabel* m_refusedTitle;
    QTableView* m_refusedView;
    QPointer<Request> m_liveRequest;
    QPointer<Request> m_keysRequest;
    QPointer<Request> m_rulesRequest;
    QPointer<Request> m_refusedRequest;
    boost::json::object m_limits; // as they were told last; empty: not yet
    bool m_rulesAgain = false; // they were said to be others while they were read
    QTimer m_liveNext;
    QTimer m_refusedNext;
};

} // namespace carrel::ui
