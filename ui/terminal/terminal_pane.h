// SPDX-License-Identifier: Apache-2.0
// The Terminal page of an agent: its live terminal (terminal_page.h), or its recordings (recordings_page.h), one at a time, so that
// nobody takes one for the other. The live one goes on while recordings are looked at. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"

#include <QWidget>

#include <cstdint>

class QPushButton;
class QStackedWidget;

namespace carrel::ui {

class RecordingsPage;
class TerminalPage;

class TerminalPane : public QWidget {
    Q_OBJECT
public:
    TerminalPane(EngineLink& engine, AgentStore& store, const QString& agent, QWidget* parent);

    void showTerminal();
    void showRecordings();
    // See RecordingsPage::showOne().
    void showRecording(std::uint64_t recording, std::int64_t momentMs);
    [[nodiscard]] TerminalPage* terminal() const { return m_terminal; }
    [[nodiscard]] RecordingsPage* recordings() const { return m_recordings; }

signals:
    void startWanted(); // the agent's machine

private:
    QPushButton* m_live;
    QPushButton* m_past;
    QStackedWidget* m_stack;
    TerminalPage* m_terminal;
    RecordingsPage* m_recordings;
};

} // namespace carrel::ui
