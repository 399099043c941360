// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_pane.h"

#include "ui/terminal/recordings_page.h"
#include "ui/terminal/terminal_page.h"
#include "ui/terminal/terminal_view.h"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QPushButton>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace carrel::ui {

TerminalPane::TerminalPane(EngineLink& engine, AgentStore& store, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_live(new QPushButton(tr("&Live terminal"), this))
    , m_past(new QPushButton(tr("&Recordings"), this))
    , m_stack(new QStackedWidget(this))
    , m_terminal(new TerminalPage(engine, store, agent, this))
    , m_recordings(new RecordingsPage(engine, agent, this)) {
    setObjectName("terminalPane");
    m_live->setObjectName("liveTerminal");
    m_past->setObjectName("pastTerminals");
    auto* which = new QButtonGroup(this);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(8, 4, 8, 4);
    row->setSpacing(8);
    for (auto* each : {m_live, m_past}) {
        each->setCheckable(true);
        which->addButton(each);
        row->addWidget(each);
    }
    row->addStretch();
    m_live->setChecked(true);
    m_stack->addWidget(m_terminal);
    m_stack->addWidget(m_recordings);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(0);
    all->addLayout(row);
    all->addWidget(m_stack, 1);
    connect(m_live, &QPushButton::toggled, this, [this](bool live) { m_stack->setCurrentWidget(live ? static_cast<QWidget*>(m_terminal) : m_recordings); });
    connect(m_live, &QPushButton::clicked, this, [this] { m_terminal->view()->setFocus(); });
    connect(m_terminal, &TerminalPage::startWanted, this, &TerminalPane::startWanted);
}

void TerminalPane::showTerminal() {
    m_live->setChecked(true);
}

void TerminalPane::showRecordings() {
    m_past->setChecked(true);
}

void TerminalPane::showRecording(std::uint64_t recording, std::int64_t momentMs) {
    showRecordings();
    m_recordings->showOne(recording, momentMs);
}

} // namespace carrel::ui
