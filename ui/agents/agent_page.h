// SPDX-License-Identifier: Apache-2.0
// One agent: its name and state, what can be done with its machine, and its pages. While it starts, and where a start has failed,
// the steps stand in their place, and above a page that is of use without a machine. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"

#include <QPointer>
#include <QSet>
#include <QWidget>

class QAction;
class QPushButton;
class QTabWidget;
class QToolButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class StartSteps;

class AgentPage : public QWidget {
    Q_OBJECT
public:
    AgentPage(EngineLink& link, AgentStore& store, const QString& agent, QWidget* parent);

    // A page with a title, in the order of the calls. Owned by this.
    enum class Needs { Machine, Nothing }; // of a page, to be of use
    void addPage(QWidget* page, const QString& title, Needs needs = Needs::Machine);
    // Above the pages, until it is closed.
    void note(const QString& text);
    void showPage(const QString& objectName);
    [[nodiscard]] const QString& agent() const { return m_agent; }
    // By this window: it is called off if the window goes.
    [[nodiscard]] bool starts() const { return m_starting; }

public slots:
    void start();

signals:
    void doctorWanted();

private:
    void stop();
    void pauseOrResume();
    void removeAgent();
    void removeNow(bool discard);
    void refresh();
    void done(const Answer& answer);
    void showSteps(bool shown);
    void arrange(); // the steps and the pages

    EngineLink& m_link;
    AgentStore& m_store;
    QString m_agent;
    class Sign;
    Sign* m_sign;
    PlainLabel* m_state;
    QPushButton* m_start;
    QPushButton* m_pause;
    QPushButton* m_stop;
    QAction* m_delete;
    MessageBar* m_bar;
    StartSteps* m_steps;
    QTabWidget* m_tabs;
    QSet<QWidget*> m_always; // pages that are of use without a machine
    bool m_stepsShown = false;
    QPointer<Request> m_starting;
    bool m_failed = false; // a start, and its steps stay on the screen
    AgentState m_lastState = AgentState::Unknown;
    std::string m_pausedFor; // why Carrel paused it, as the bar says it; empty: it says nothing of that
};

} // namespace carrel::ui
