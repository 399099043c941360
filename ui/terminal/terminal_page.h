// SPDX-License-Identifier: Apache-2.0
// The page of an agent's terminal: a login shell in its machine, opened when the page is first shown while the machine is ready.
// Right above it stands who draws it, as nothing in it is Carrel's, and no decision is ever taken in it (invariant I11). Thread: the window's.
//
//   state     what is shown                                        becomes
//   None      why there is no terminal yet; Start where that helps  Opening
//   Opening   that it is being opened                               Open, Over
//   Open      the terminal                                          Over
//   Over      the terminal as it was left, and above it how it ended Opening (Open again)
#pragma once

#include "app/api/terminal_wire.h"
#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"

#include <QElapsedTimer>
#include <QWidget>

#include <cstdint>
#include <utility>

class QPushButton;
class QStackedWidget;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class TerminalLink;
class TerminalView;

class TerminalPage : public QWidget {
    Q_OBJECT
public:
    enum class State { None, Opening, Open, Over };

    TerminalPage(EngineLink& engine, AgentStore& store, QString agent, QWidget* parent);
    ~TerminalPage() override;

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] TerminalView* view() const { return m_view; }

signals:
    void startWanted(); // the agent's machine

protected:
    void showEvent(QShowEvent* event) override;

private:
    void look(); // what the store says now
    void open();
    void opened(UniqueFd channel);
    void over(const Error& error);
    void over(const api::terminal::Ended& end);
    void become(State state);
    void act();
    void take(api::terminal::Frame& frame);
    void tellSize();
    void waitFor(const QString& words, bool start);

    EngineLink& m_engine;
    AgentStore& m_store;
    QString m_agent;
    State m_state = State::None;
    bool m_offersStart = false; // the bar's button
    bool m_pausedTold = false;  // the note says that the machine is paused
    std::pair<std::uint16_t, std::uint16_t> m_told; // rows and columns that the terminal knows
    QElapsedTimer m_lastBell;
    MessageBar* m_bar;
    MessageBar* m_note; // of what goes on beside: a machine that is paused, keys that are lost
    QStackedWidget* m_stack;
    PlainLabel* m_words;
    QPushButton* m_start;
    QWidget* m_strip;
    TerminalView* m_view;
    TerminalLink* m_link = nullptr; // ours; while Open
};

} // namespace carrel::ui
