// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_page.h"

#include "ui/parts/message_bar.h"
#include "ui/terminal/guest_strip.h"
#include "ui/terminal/terminal_link.h"
#include "ui/terminal/terminal_view.h"
#include "ui/text/plain.h"

#include <QApplication>
#include <QPushButton>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace carrel::ui {

using namespace api::terminal;

namespace {

constexpr int kBellPaceMs = 1000; // a guest does not decide how often the computer beeps
constexpr const char* kTerm = "xterm-256color"; // nearest to what the allow-list and the screen know
} // namespace

TerminalPage::TerminalPage(EngineLink& engine, AgentStore& store, QString agent, QWidget* parent)
    : QWidget(parent)
    , m_engine(engine)
    , m_store(store)
    , m_agent(std::move(agent))
    , m_bar(new MessageBar(this))
    , m_note(new MessageBar(this))
    , m_stack(new QStackedWidget(this))
    , m_words(new PlainLabel({}, this))
    , m_start(new QPushButton(tr("Start"), this))
    , m_strip(new GuestStrip(tr("Drawn by the agent's machine. Carrel asks and says nothing in here."), this))
    , m_view(new TerminalView(this)) {
    setObjectName(QStringLiteral("terminalPage"));
    m_bar->setObjectName(QStringLiteral("terminalBar"));
    m_note->setObjectName(QStringLiteral("terminalNote"));
    m_note->setClosable(true);
    m_words->setObjectName(QStringLiteral("terminalWords"));
    m_words->setAlignment(Qt::AlignCenter);
    m_start->setObjectName(QStringLiteral("terminalStart"));
    m_view->setAccessibleName(tr("Terminal in the machine of agent %1").arg(m_agent));
    m_view->setAccessibleDescription(tr("What is shown in it is drawn by the agent's machine. Control and Tab leave it."));
    auto* waiting = new QWidget(this);
    auto* column = new QVBoxLayout(waiting);
    column->addStretch();
    column->addWidget(m_words);
    column->addWidget(m_start, 0, Qt::AlignHCenter);
    column->addStretch();
    m_stack->addWidget(waiting);
    // What is Carrel's stands above the strip, what is the guest's below it.
    auto* drawn = new QWidget(this);
    auto* below = new QVBoxLayout(drawn);
    below->setContentsMargins(0, 0, 0, 0);
    below->setSpacing(0);
    below->addWidget(m_strip);
    below->addWidget(m_view, 1);
    m_stack->addWidget(drawn);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_bar);
    layout->addWidget(m_note);
    layout->addWidget(m_stack, 1);
    connect(&m_store, &AgentStore::changed, this, &TerminalPage::look);
    connect(m_start, &QPushButton::clicked, this, &TerminalPage::startWanted);
    connect(m_bar, &MessageBar::acted, this, &TerminalPage::act);
    connect(m_view, &TerminalView::painted, this, [this](qint64 ms) {
        if (m_link != nullptr) {
            m_link->rest(ms);
        }
    });
    connect(m_view, &TerminalView::sizeChanged, this, &TerminalPage::tellSize);
    connect(m_view, &TerminalView::typed, this, [this](const QByteArray& bytes) {
        if (m_link != nullptr) {
            m_link->type(bytes);
        }
    });
    look();
}

TerminalPage::~TerminalPage() = default;

void TerminalPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    look();
}

void TerminalPage::become(State state) {
    m_state = state;
    m_view->setLive(state == State::Open);
    m_stack->setCurrentIndex(state == State::Open || state == State::Over ? 1 : 0);
    if (state != State::Over) {
        m_bar->clear();
    }
    if (state != State::Open) {
        m_note->clear();
        m_pausedTold = false;
    }
}

void TerminalPage::waitFor(const QString& words, bool start) {
    m_words->setText(words);
    m_start->setVisible(start);
}

void TerminalPage::look() {
    const auto* agent = m_store.find(m_agent);
    const bool ready = agent != nullptr && (agent->state == AgentState::Ready || agent->state == AgentState::Working);
    const bool startable = agent != nullptr && !agent->runs() && agent->state != AgentState::Stopping && agent->state != AgentState::Unknown;
    if (m_state == State::Over) {
        const bool start = !ready && startable;
        m_offersStart = start;
        m_bar->offer(ready ? tr("Open again") : start ? tr("Start") : QString());
        return;
    }
    if (m_state == State::Open) {
        const bool paused = agent != nullptr && agent->state == AgentState::Paused;
        if (paused && !m_pausedTold) {
            m_note->say(MessageBar::Kind::Note, tr("The agent's machine is paused."), tr("What you type waits until it goes on."));
        } else if (!paused && m_pausedTold) {
            m_note->clear();
        }
        m_pausedTold = paused;
        return;
    }
    if (m_state == State::Opening) {
        return;
    }
    if (ready) {
        waitFor(tr("The terminal is opened when it is looked at."), false);
        if (isVisible()) {
            open();
        }
    } else if (!m_store.known()) {
        waitFor(tr("The engine has not told of the agent yet."), false);
    } else if (agent == nullptr) {
        waitFor(tr("There is no agent of that name any more."), false);
    } else if (startable) {
        waitFor(tr("The agent's machine does not run (%1). A terminal needs it.").arg(stateText(agent->state)), true);
    } else {
        waitFor(tr("The agent's machine is not ready (%1). The terminal opens when it is.").arg(stateText(agent->state)), false);
    }
}

void TerminalPage::act() {
    if (m_offersStart) {
        emit startWanted();
    } else {
        open();
    }
}

void TerminalPage::open() {
    m_view->clearAll();
    become(State::Opening);
    waitFor(tr("Opening a terminal …"), false);
    m_told = m_view->sizeInCells(m_stack->size() - QSize(0, m_strip->heightForWidth(m_stack->width()))); // which it will have
    boost::json::object params{{"agent", m_agent.toStdString()},
                               {"argv", {"bash", "-l"}},
                               {"tty", {{"rows", m_told.first}, {"cols", m_told.second}, {"term", kTerm}}}};
    auto* request = m_engine.ask("exec.open", std::move(params), this);
    connect(request, &Request::finished, this, [this, request](const Answer& answer) {
        if (!answer) {
            over(answer.error());
        } else {
            opened(request->takeDescriptor());
        }
    });
}

void TerminalPage::opened(UniqueFd channel) {
    if (!channel) {
        over(Error{ErrorCode::Malformed, tr("the engine's answer came without a session").toStdString(), {}, 0, nullptr});
        return;
    }
    m_link = new TerminalLink(this);
    connect(m_link, &TerminalLink::frame, this, &TerminalPage::take);
    connect(m_link, &TerminalLink::ended, this, [this](const Ended& end) { over(end); });
    connect(m_link, &TerminalLink::failed, this, [this](const Error& error) { over(error); });
    if (const auto started = m_link->start(std::move(channel)); !started) {
        over(started.error());
        return;
    }
    const bool focus = m_stack->isAncestorOf(QApplication::focusWidget()) || QApplication::focusWidget() == nullptr;
    become(State::Open);
    m_told = {};
    tellSize();
    if (focus) {
        m_view->setFocus();
    }
    look();
}

void TerminalPage::tellSize() {
    const auto size = m_view->sizeInCells();
    if (m_link != nullptr && size != m_told) {
        m_told = size;
        m_link->resize(size.first, size.second);
    }
}

void TerminalPage::take(Frame& frame) {
    if (frame.screen.bell && (!m_lastBell.isValid() || m_lastBell.elapsed() > kBellPaceMs)) {
        m_lastBell.start();
        QApplication::beep();
    }
    if (frame.screen.inputLost) {
        m_note->say(MessageBar::Kind::Warning, tr("Some of what was typed or pasted was lost."),
                    tr("The program in the terminal does not read it."));
    }
    m_view->take(std::move(frame));
}

void TerminalPage::over(const Error& error) {
    if (m_link != nullptr) {
        m_link->disconnect(this);
        m_link->deleteLater(); // it may be the one that tells
        m_link = nullptr;
    }
    become(State::Over);
    m_bar->say(error);
    look();
}

void TerminalPage::over(const Ended& end) {
    using How = Ended::How;
    if (end.how == How::Failed || end.how == How::Unfit) {
        over(end.how == How::Failed ? Error{end.error.code, tr("the agent's machine could not open a terminal. It says: %1").arg(lineOf(end.error.message)).toStdString(),
                                             tr("Open it again, or look at the agent's timeline.").toStdString(), 0, {}}
                                    : end.error.wrap(tr("the program that draws the terminal could not confine itself, so it was not used").toStdString()));
        return;
    }
    if (end.how == How::Broken) {
        over(Error{ErrorCode::Malformed, tr("the machine's side broke the protocol, so the terminal was ended").toStdString(), {}, 0, nullptr});
        return;
    }
    over(Error{});
    if (end.how == How::Lost) {
        m_bar->say(MessageBar::Kind::Warning, tr("The connection to the agent's machine ended."),
                   tr("What ran in the terminal ended with it."));
    } else if (end.how == How::Signalled) {
        m_bar->say(MessageBar::Kind::Note, tr("The shell was ended by signal %1.").arg(end.number));
    } else if (end.number != 0) {
        m_bar->say(MessageBar::Kind::Note, tr("The shell has ended with status %1.").arg(end.number));
    } else {
        m_bar->say(MessageBar::Kind::Note, tr("The shell has ended."));
    }
    look();
}

} // namespace carrel::ui
