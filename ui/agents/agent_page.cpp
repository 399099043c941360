// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agent_page.h"

#include "ui/agents/start_steps.h"
#include "ui/agents/state_sign.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/text/plain.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>
#include <QPushButton>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;

class AgentPage::Sign : public QWidget {
public:
    using QWidget::QWidget;
    AgentState state = AgentState::Unknown;
    [[nodiscard]] QSize sizeHint() const override { return {20, 20}; }

protected:
    void paintEvent(QPaintEvent* /*event*/) override {
        QPainter painter(this);
        paintState(painter, QRectF(2, (height() - 16) / 2.0, 16, 16), state, palette());
    }
};

AgentPage::AgentPage(EngineLink& link, AgentStore& store, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_store(store)
    , m_agent(agent)
    , m_sign(new Sign(this))
    , m_state(new PlainLabel({}, this))
    , m_start(new QPushButton(tr("&Start"), this))
    , m_pause(new QPushButton(tr("&Pause"), this))
    , m_stop(new QPushButton(tr("St&op"), this))
    , m_bar(new MessageBar(this))
    , m_steps(new StartSteps(this))
    , m_tabs(new QTabWidget(this)) {
    setObjectName("agentPage");
    m_state->setObjectName("agentState");
    m_start->setObjectName("start");
    m_pause->setObjectName("pause");
    m_stop->setObjectName("stop");
    m_tabs->setObjectName("pages");
    m_tabs->setDocumentMode(true);
    m_bar->setClosable(true);
    m_bar->setObjectName("agentBar");
    auto* title = new PlainLabel(agent, this);
    auto large = title->font();
    large.setPointSizeF(large.pointSizeF() * 1.5);
    large.setBold(true);
    title->setFont(large);
    title->setWordWrap(false);
    m_state->setWordWrap(false);
    auto* more = new QToolButton(this);
    more->setText(tr("More"));
    more->setPopupMode(QToolButton::InstantPopup);
    more->setAccessibleName(tr("More about the agent %1").arg(agent));
    auto* menu = new QMenu(more);
    m_delete = menu->addAction(tr("&Delete the agent…"));
    m_delete->setObjectName("delete");
    more->setMenu(menu);
    auto* header = new QHBoxLayout;
    header->addWidget(title);
    header->addSpacing(8);
    header->addWidget(m_sign, 0, Qt::AlignVCenter);
    header->addWidget(m_state);
    header->addStretch();
    for (QWidget* each : {static_cast<QWidget*>(m_start), static_cast<QWidget*>(m_pause), static_cast<QWidget*>(m_stop), static_cast<QWidget*>(more)}) {
        header->addWidget(each);
    }
    auto* all = new QVBoxLayout(this);
    all->addLayout(header);
    all->addWidget(m_bar);
    all->addWidget(m_steps, 1);
    all->addWidget(m_tabs, 2);

    connect(m_start, &QPushButton::clicked, this, &AgentPage::start);
    connect(m_stop, &QPushButton::clicked, this, &AgentPage::stop);
    connect(m_pause, &QPushButton::clicked, this, &AgentPage::pauseOrResume);
    connect(m_delete, &QAction::triggered, this, &AgentPage::removeAgent);
    connect(m_steps, &StartSteps::againWanted, this, &AgentPage::start);
    connect(m_steps, &StartSteps::stopWanted, this, &AgentPage::stop);
    connect(m_steps, &StartSteps::doctorWanted, this, &AgentPage::doctorWanted);
    connect(&store, &AgentStore::changed, this, &AgentPage::refresh);
    connect(m_tabs, &QTabWidget::currentChanged, this, &AgentPage::arrange);
    arrange();
    refresh();
}

void AgentPage::addPage(QWidget* page, const QString& title, Needs needs) {
    if (needs == Needs::Nothing) {
        m_always.insert(page);
    }
    m_tabs->addTab(page, title);
    arrange();
}

void AgentPage::showSteps(bool shown) {
    m_stepsShown = shown;
    arrange();
}

void AgentPage::arrange() {
    const bool both = m_always.contains(m_tabs->currentWidget());
    m_steps->setVisible(m_stepsShown);
    m_steps->setBrief(both);
    m_tabs->setVisible(!m_stepsShown || both);
}

void AgentPage::showPage(const QString& objectName) {
    for (int i = 0; i < m_tabs->count(); ++i) {
        if (m_tabs->widget(i)->objectName() == objectName) {
            m_tabs->setCurrentIndex(i);
        }
    }
}

void AgentPage::note(const QString& text) {
    m_bar->say(MessageBar::Kind::Note, text);
}

void AgentPage::refresh() {
    const auto* const agent = m_store.find(m_agent);
    // What this window has asked for counts before the engine has told of it.
    const auto state = m_starting ? AgentState::Starting : agent != nullptr ? agent->state : AgentState::Unknown;
    m_sign->state = state;
    m_sign->update();
    auto words = stateText(state);
    if (agent != nullptr && agent->accelerator == "software" && agent->runs()) {
        words += tr(", by software emulation");
    }
    m_state->setText(words);
    setEnabled(agent != nullptr);
    const bool runs = agent != nullptr && (m_starting || agent->runs());
    const bool paused = state == AgentState::Paused;
    m_start->setVisible(!runs && state != AgentState::Stopping);
    m_stop->setVisible(runs || state == AgentState::Failed);
    m_pause->setVisible(runs && state != AgentState::Starting);
    m_pause->setText(paused ? tr("&Resume") : tr("&Pause"));
    m_delete->setEnabled(state != AgentState::Starting && state != AgentState::Stopping);

    const bool starts = state == AgentState::Starting || m_starting;
    const bool cameToFail = state == AgentState::Failed && m_lastState != AgentState::Failed;
    if (starts) {
        if (!m_stepsShown || m_failed) { // somebody else's: this window's has its steps already
            m_steps->beginUnseen();
            showSteps(true);
        }
        m_failed = false;
    } else if (cameToFail && !m_failed && m_lastState == AgentState::Starting) {
        m_failed = true; // the start that was not this window's
        m_steps->failed(Error{ErrorCode::Unavailable, agent->reason, {}, 0, {}});
    } else if (!m_failed) { // why a start of this window's failed stays until there is another
        m_steps->over();
        showSteps(false);
        if (cameToFail) {
            m_bar->say(MessageBar::Kind::Error, lineOf(agent->reason, kWholeColumns),
                       tr("Start it again, or look at its timeline for what came before."));
        }
    }
    if (m_lastState == AgentState::Failed && state != AgentState::Failed && !m_failed) {
        m_bar->clear();
    }
    if (const auto why = paused ? agent->reason : std::string(); why != m_pausedFor) {
        m_pausedFor = why;
        if (why.empty()) {
            m_bar->clear();
        } else {
            m_bar->say(agent->pausedForBudget ? MessageBar::Kind::Note : MessageBar::Kind::Error,
                       tr("Paused by Carrel: %1").arg(lineOf(why, kWholeColumns)),
                       agent->pausedForBudget
                           ? tr("A task of its has used up the budget. Answer at the task: it goes on with as much again, or is cancelled.")
                           : tr("Nobody has got all of it. Its timeline tells more; set its network to offline first if it is to go on without."));
        }
    }
    m_lastState = state;
}

void AgentPage::start() {
    if (m_starting) {
        return;
    }
    if (const auto* const agent = m_store.find(m_agent); agent != nullptr && agent->state == AgentState::Paused) {
        pauseOrResume(); // a start would be refused: its machine is there
        return;
    }
    m_failed = false;
    m_bar->clear();
    m_steps->begin();
    showSteps(true);
    m_starting = m_link.ask("agent.start", {{"agent", m_agent.toStdString()}}, this, [this](const Answer& answer) {
        m_starting = nullptr;
        m_store.refresh();
        if (!answer) {
            m_failed = true;
            m_steps->failed(answer.error());
        } else {
            m_steps->over();
            showSteps(false);
        }
        refresh(); // the list may have told of it before
    });
    connect(m_starting, &Request::progress, m_steps, &StartSteps::step);
    m_store.refresh();
    refresh();
}

void AgentPage::done(const Answer& answer) {
    m_store.refresh();
    if (!answer) {
        m_bar->say(answer.error());
    }
}

void AgentPage::stop() {
    m_bar->clear();
    auto* request = m_link.ask("agent.stop", {{"agent", m_agent.toStdString()}}, this, [this](const Answer& answer) {
        m_bar->clear();
        done(answer);
    });
    connect(request, &Request::progress, this, [this](const api::Progress& progress) {
        m_bar->say(MessageBar::Kind::Note, lineOf(progress.text, 120));
    });
    m_store.refresh();
}

void AgentPage::pauseOrResume() {
    const auto* const agent = m_store.find(m_agent);
    if (agent != nullptr) {
        m_bar->clear();
        m_link.ask(agent->state == AgentState::Paused ? "agent.resume" : "agent.pause", {{"agent", m_agent.toStdString()}}, this,
                   [this](const Answer& answer) { done(answer); });
    }
}

void AgentPage::removeAgent() {
    const auto* const agent = m_store.find(m_agent);
    if (agent == nullptr) {
        return;
    }
    const auto staged = agent->staged();
    auto words = tr("Its machine, its disk and its history are deleted. Your folders stay as they are.");
    if (staged > 0) {
        words = tr("%n change(s) that wait for you are forgotten.", nullptr, countOf(staged)) + ' ' + words;
    }
    auto* question = new Question(tr("Delete the agent %1?").arg(m_agent), words, {}, tr("&Delete it"), this);
    connect(question, &Question::agreed, this, [this, staged] { removeNow(staged > 0); });
    question->open();
}

void AgentPage::removeNow(bool discard) {
    json::object params{{"agent", m_agent.toStdString()}};
    if (discard) {
        params["discard"] = true;
    }
    m_link.ask("agent.delete", std::move(params), this, [this, discard](const Answer& answer) {
        if (answer || discard || answer.error().code != ErrorCode::Refused) {
            done(answer);
            return;
        }
        // What waits in its machine, or may, which only the engine knows: it is asked for by name.
        auto* question = new Question(tr("Delete the agent %1 all the same?").arg(m_agent), whatHappened(answer.error()), {},
                                      tr("&Forget what waits and delete it"), this);
        connect(question, &Question::agreed, this, [this] { removeNow(true); });
        question->open();
    });
}

} // namespace carrel::ui
