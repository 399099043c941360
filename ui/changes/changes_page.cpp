// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/changes_page.h"

#include "ui/changes/decision_dialog.h"
#include "ui/parts/empty_state.h"
#include "ui/changes/history_view.h"
#include "ui/changes/outcome_list.h"
#include "ui/changes/progress_row.h"
#include "ui/changes/review_panel.h"
#include "ui/parts/message_bar.h"
#include "ui/text/plain.h"

#include <QSettings>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

namespace {

constexpr std::chrono::milliseconds kBeforeProgress{250};
constexpr std::size_t kNotesShown = 3;

QString doingText(DeedKind kind) {
    switch (kind) {
    case DeedKind::Apply:
    case DeedKind::KeepBoth:
        return ChangesPage::tr("Applying…");
    case DeedKind::Discard:
        return ChangesPage::tr("Discarding…");
    case DeedKind::Undo:
        return ChangesPage::tr("Taking back…");
    }
    return {};
}

QString doneText(const DeedOutcome& outcome) {
    const int done = countOf(outcome.done);
    switch (outcome.kind) {
    case DeedKind::Apply:
        return ChangesPage::tr("%n change(s) applied.", nullptr, done);
    case DeedKind::KeepBoth:
        return ChangesPage::tr("%n version(s) of the agent's put beside yours.", nullptr, done);
    case DeedKind::Discard:
        return ChangesPage::tr("%n change(s) discarded.", nullptr, done);
    case DeedKind::Undo:
        return ChangesPage::tr("%n change(s) taken back.", nullptr, done);
    }
    return {};
}

} // namespace

ChangesPage::ChangesPage(EngineLink& link, AgentStore& agents, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_agents(agents)
    , m_agent(agent)
    , m_session(link, agent, this)
    , m_deeds(link, agent, this)
    , m_tabs(new QTabWidget(this))
    , m_result(new MessageBar(this))
    , m_outcomes(new OutcomeList(this)) {
    setObjectName(QStringLiteral("changes"));
    m_result->setObjectName(QStringLiteral("resultBar"));
    m_result->setClosable(true);
    m_tabs->setObjectName(QStringLiteral("changesTabs"));
    m_tabs->setDocumentMode(true);
    m_history = new HistoryView(link, agent, m_tabs);
    m_tabs->addTab(buildChanges(link), tr("Waiting for &review"));
    m_tabs->addTab(m_history, tr("&History"));
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(4);
    all->addWidget(m_result);
    all->addWidget(m_outcomes);
    all->addWidget(m_tabs, 1);
    connectSession();
    connectDeeds();
    connect(&m_agents, &AgentStore::changed, this, &ChangesPage::updateState);
    connect(m_tabs, &QTabWidget::currentChanged, this, [this] {
        if (m_tabs->currentWidget() == m_history) {
            m_history->reload();
        }
    });
    m_progressLater.setSingleShot(true);
    m_progressLater.setInterval(kBeforeProgress);
    connect(&m_progressLater, &QTimer::timeout, this, [this] {
        m_panel->showProgress(true);
        m_panel->progress()->show();
        m_progress->setVisible(m_stack->currentWidget() == m_empty);
    });
    updateState();
}

ChangesPage::~ChangesPage() {
    if (m_restored) {
        QSettings settings;
        m_panel->save(settings, objectName());
    }
}

QWidget* ChangesPage::buildChanges(EngineLink& link) {
    auto* const page = new QWidget(m_tabs);
    m_newer = new MessageBar(page);
    m_newer->setObjectName(QStringLiteral("newerBar"));
    m_machine = new MessageBar(page);
    m_machine->setObjectName(QStringLiteral("machineBar"));
    m_notes = new MessageBar(page);
    m_notes->setObjectName(QStringLiteral("notesBar"));
    m_notes->setClosable(true);
    m_stack = new QStackedWidget(page);
    m_empty = new EmptyState(m_stack);
    m_empty->setObjectName(QStringLiteral("emptyState"));
    m_panel = new ReviewPanel(link, m_agent, m_stack);
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_panel);
    m_progress = new ProgressRow(page);
    m_progress->setContentsMargins(10, 8, 10, 8);
    auto* const all = new QVBoxLayout(page);
    all->setContentsMargins(0, 4, 0, 0);
    all->setSpacing(4);
    all->addWidget(m_newer);
    all->addWidget(m_machine);
    all->addWidget(m_notes);
    all->addWidget(m_stack, 1);
    all->addWidget(m_progress);
    connect(m_newer, &MessageBar::acted, &m_session, &ReviewSession::look);
    connect(m_machine, &MessageBar::acted, this, &ChangesPage::startWanted);
    connect(m_notes, &MessageBar::acted, this, &ChangesPage::showAllNotes);
    connect(m_empty, &EmptyState::acted, this, [this] {
        if (m_session.state() == ReviewSession::State::Stopped) {
            emit startWanted();
        } else {
            m_session.look();
        }
    });
    const auto cancel = [this] {
        m_session.cancel(); // first: what is cancelled of a deed looks anew
        m_deeds.cancel();
    };
    for (auto* progress : {m_progress, m_panel->progress()}) {
        connect(progress, &ProgressRow::cancelled, this, cancel);
    }
    return page;
}

void ChangesPage::connectSession() {
    connect(m_panel, &ReviewPanel::lookWanted, &m_session, &ReviewSession::look);
    connect(&m_session, &ReviewSession::began, this, [this] {
        m_panel->begin();
        updateNotes();
    });
    connect(&m_session, &ReviewSession::page, m_panel, &ReviewPanel::add);
    connect(&m_session, &ReviewSession::stateChanged, this, [this] {
        if (m_session.state() == ReviewSession::State::Looking) {
            begin(tr("Looking at what the agent changed…"));
        } else {
            end();
        }
        if (m_session.state() == ReviewSession::State::Shown) {
            m_panel->finish(m_session.review(), m_session.totals());
        }
        updateState();
    });
    connect(&m_session, &ReviewSession::newerChanged, this, &ChangesPage::updateState);
    connect(&m_session, &ReviewSession::runningChanged, this, &ChangesPage::updateState);
    connect(&m_session, &ReviewSession::staged, this, [this] { // auto mode or a rule may have applied something
        if (m_tabs->currentWidget() == m_history) {
            m_history->reload();
        }
    });
    connect(&m_session, &ReviewSession::progressed, this, [this](const QString& text, double fraction) {
        m_progress->tell(text, fraction);
        m_panel->progress()->tell(text, fraction);
    });
}

void ChangesPage::connectDeeds() {
    connect(m_panel, &ReviewPanel::decided, this, [this](DeedKind kind, const std::string& review, const std::vector<std::string>& paths) {
        if (m_deeds.busy()) {
            return;
        }
        if (const auto refused = m_deeds.decide(kind, review, paths)) {
            m_undo.reset();
            m_result->offer({});
            m_result->say(*refused);
        }
    });
    connect(m_history, &HistoryView::undoWanted, &m_deeds, &Deeds::undo);
    connect(m_result, &MessageBar::acted, this, [this] {
        if (m_undo && !m_deeds.busy()) {
            m_deeds.undo(*m_undo);
        }
    });
    connect(&m_deeds, &Deeds::began, this, [this](DeedKind kind) {
        m_session.setQuiet(true);
        m_undo.reset();
        m_result->clear();
        m_outcomes->hide();
        m_history->setBusy(true);
        begin(doingText(kind));
    });
    connect(&m_deeds, &Deeds::progressed, this, [this](const QString& text, double fraction) {
        m_progress->tell(text, fraction);
        m_panel->progress()->tell(text, fraction);
    });
    connect(&m_deeds, &Deeds::finished, this, [this](const DeedOutcome& outcome) {
        done(outcome);
        afterDeed();
    });
    connect(&m_deeds, &Deeds::failed, this, [this](const Error& error) {
        if (error.code == ErrorCode::Cancelled) {
            m_result->say(MessageBar::Kind::Warning, whatHappened(error), whatToDo(error));
        } else {
            m_result->say(error);
        }
        afterDeed();
    });
}

void ChangesPage::done(const DeedOutcome& outcome) {
    QStringList more;
    if (outcome.notDone > 0) {
        more << tr("%n could not be done; nothing of yours was overwritten.", nullptr, countOf(outcome.notDone));
    }
    if (outcome.kept > 0) {
        more << tr("%n were worked on since you looked, and are still staged.", nullptr, countOf(outcome.kept));
    }
    m_result->say(more.isEmpty() ? MessageBar::Kind::Note : MessageBar::Kind::Warning, doneText(outcome), more.join(' '));
    m_undo = outcome.number;
    m_result->offer(m_undo ? tr("&Undo") : QString());
    m_outcomes->show(outcome);
}

// Whatever became of it, what is staged is another than it was.
void ChangesPage::afterDeed() {
    end();
    m_history->setBusy(false);
    m_history->reload();
    m_agents.refresh();
    m_session.setQuiet(false);
    if (m_session.running()) {
        m_session.look();
    }
}

void ChangesPage::begin(const QString& text) {
    m_progress->tell(text, -1);
    m_panel->progress()->tell(text, -1);
    m_panel->setBusy(true);
    m_progressLater.start();
}

void ChangesPage::end() {
    if (m_deeds.busy() || m_session.state() == ReviewSession::State::Looking) {
        return;
    }
    m_progressLater.stop();
    m_progress->end();
    m_panel->showProgress(false);
    m_panel->setBusy(false);
}

void ChangesPage::updateState() {
    using State = ReviewSession::State;
    const auto state = m_session.state();
    // While it is looked again, what was there before stays.
    const bool shown = state == State::Shown || (state == State::Looking && !m_session.review().empty());
    m_stack->setCurrentWidget(shown ? static_cast<QWidget*>(m_panel) : m_empty);
    if (shown) {
        m_progress->setVisible(false);
    } else {
        sayEmpty();
    }
    if (m_session.newer() && state == State::Shown) {
        m_newer->say(MessageBar::Kind::Note, tr("The agent has changed more since."),
                     tr("What you see and apply is what was there when you looked."));
        m_newer->offer(tr("&Look again"));
    } else {
        m_newer->clear();
    }
    updateMachine();
}

void ChangesPage::updateMachine() {
    if (m_session.running() || m_session.state() != ReviewSession::State::Shown) {
        m_machine->clear();
        return;
    }
    const auto* const agent = m_agents.find(m_agent);
    const bool paused = agent != nullptr && agent->state == AgentState::Paused;
    m_machine->say(MessageBar::Kind::Note, paused ? tr("The agent is paused.") : tr("The agent's machine does not run now."),
                   tr("What you see is what was there when you looked."));
    m_machine->offer(paused ? tr("&Go on") : tr("Start"));
}

void ChangesPage::sayEmpty() {
    using State = ReviewSession::State;
    switch (m_session.state()) {
    case State::Idle:
    case State::Looking:
        m_empty->say(tr("Looking at what the agent changed…"), {});
        break;
    case State::Failed:
        m_empty->say(tr("The changes cannot be shown now"), m_session.trouble() ? bothOf(*m_session.trouble()) : QString(), tr("&Look again"));
        break;
    case State::Stopped: {
        const auto* const agent = m_agents.find(m_agent);
        const auto of = agent == nullptr ? AgentState::Unknown : agent->state;
        const auto staged = agent == nullptr ? 0 : agent->staged();
        const auto waits = staged > 0 ? tr("%n change(s) wait for you in its machine.", nullptr, countOf(staged)) + ' ' : QString();
        if (of == AgentState::Paused) {
            m_empty->say(tr("%1 is paused").arg(m_agent), waits + tr("What it changed can be looked at when it goes on."), tr("&Go on"));
        } else if (of == AgentState::Starting) {
            m_empty->say(tr("%1 is starting").arg(m_agent), waits + tr("What it changed is shown here as soon as its machine is ready."));
        } else if (of == AgentState::Stopping) {
            m_empty->say(tr("%1 is stopping").arg(m_agent), waits);
        } else {
            m_empty->say(tr("%1 is not running").arg(m_agent),
                         waits + tr("What an agent changed stays in its machine, and can be looked at while that runs."), tr("Start"));
        }
        break;
    }
    case State::Empty:
        m_empty->say(tr("Nothing waits for review"),
                     tr("Your folders are as you left them. What the agent changes shows up here, and nothing of it reaches your folders "
                        "before you say so."));
        break;
    case State::Shown:
        break;
    }
}

namespace {

// The notes as words and what they are about, each a line.
std::vector<std::pair<std::string, std::string>> linesOf(const ReviewSession::Notes& notes) {
    std::vector<std::pair<std::string, std::string>> out = notes.leftOut;
    for (const auto& [share, why] : notes.notListed) {
        out.emplace_back(share, ChangesPage::tr("cannot be listed now, as the agent's machine does not have that folder. It says: ").toStdString() + why);
    }
    for (const auto& [share, until] : notes.autoFull) {
        out.emplace_back(share, ChangesPage::tr("its automatic mode has reached its bound, so that new files wait, too; until %1")
                                    .arg(momentText(until))
                                    .toStdString());
    }
    return out;
}

} // namespace

void ChangesPage::updateNotes() {
    const auto& notes = m_session.notes();
    const auto all = linesOf(notes);
    if (all.empty()) {
        m_notes->clear();
        return;
    }
    QStringList lines;
    for (std::size_t i = 0; i < std::min(all.size(), kNotesShown); ++i) {
        lines << lineOf(all[i].first, 120) + QStringLiteral(": ") + lineOf(all[i].second, 200);
    }
    const bool serious = !notes.leftOut.empty() || !notes.notListed.empty();
    m_notes->say(serious ? MessageBar::Kind::Warning : MessageBar::Kind::Note,
                 notes.leftOut.empty()     ? notes.notListed.empty() ? tr("An automatic mode waits.") : tr("Not every folder could be listed.")
                 : all.size() == 1         ? tr("Something is not in this review. It stays in the machine until it can be.")
                                           : tr("%n thing(s) are not in this review. They stay in the machine until they can be.", nullptr,
                                                countOf(notes.leftOut.size())),
                 lines.join('\n'));
    m_notes->offer(all.size() > kNotesShown ? tr("Show all %n…", nullptr, countOf(all.size())) : QString());
}

void ChangesPage::showAllNotes() {
    DecisionDialog::Question list;
    list.title = tr("Not in this review");
    list.question = tr("What is not in this review, and why");
    list.whatColumn = tr("Why");
    list.files = linesOf(m_session.notes());
    list.no = tr("&Close");
    (new DecisionDialog(list, window()))->open();
}

void ChangesPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (!m_restored) {
        m_restored = true;
        QSettings settings;
        m_panel->restore(settings, objectName());
    }
    m_session.setActive(true);
    if (m_tabs->currentWidget() == m_history) {
        m_history->reload();
    }
}

void ChangesPage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    m_session.setActive(false);
    QSettings settings;
    m_panel->save(settings, objectName());
}

} // namespace carrel::ui
