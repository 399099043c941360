// SPDX-License-Identifier: Apache-2.0
// Everything about an agent's changes: what waits, looked at and decided on, and what was decided before. Active while it is
// shown; hidden it asks for nothing, and keeps the review that it shows. What is applied is the review that is on the screen, never
// something newer (I12). Owner: its parent. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/changes/deeds.h"
#include "ui/changes/review_session.h"

#include <QTimer>
#include <QWidget>

#include <optional>

class QStackedWidget;
class QTabWidget;

namespace carrel::ui {

class EmptyState;
class HistoryView;
class MessageBar;
class OutcomeList;
class ProgressRow;
class ReviewPanel;

class ChangesPage : public QWidget {
    Q_OBJECT
public:
    // The object's name is the key of its settings; it is "changes" unless the owner gives it another before it is first shown.
    ChangesPage(EngineLink& link, AgentStore& agents, const QString& agent, QWidget* parent);
    ~ChangesPage() override;

signals:
    // The machine does not run, and the person wants it to.
    void startWanted();

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    QWidget* buildChanges(EngineLink& link);
    void connectSession();
    void connectDeeds();
    void updateState();
    void updateNotes();
    void updateMachine();
    void sayEmpty();
    void begin(const QString& text);
    void end();
    void done(const DeedOutcome& outcome);
    void afterDeed();
    void showAllNotes();

    AgentStore& m_agents;
    QString m_agent;
    ReviewSession m_session;
    Deeds m_deeds;
    std::optional<quint64> m_undo; // what the bar's button takes back
    bool m_restored = false;
    QTimer m_progressLater; // what is over in a moment does not flicker

    QTabWidget* m_tabs;
    MessageBar* m_result;
    OutcomeList* m_outcomes;
    MessageBar* m_newer = nullptr;
    MessageBar* m_machine = nullptr;
    MessageBar* m_notes = nullptr;
    QStackedWidget* m_stack = nullptr;
    EmptyState* m_empty = nullptr;
    ReviewPanel* m_panel = nullptr;
    HistoryView* m_history = nullptr;
    ProgressRow* m_progress = nullptr; // where there is no review beneath which it could stand
};

} // namespace carrel::ui
