// SPDX-License-Identifier: Apache-2.0
#include "ui/window/main_window.h"

#include "app/api/answers.h"
#include "ui/agents/agent_delegate.h"
#include "ui/agents/agent_page.h"
#include "ui/agents/agents_model.h"
#include "ui/agents/create_dialog.h"
#include "ui/approvals/approval_store.h"
#include "ui/approvals/approvals_page.h"
#include "ui/changes/changes_page.h"
#include "ui/credentials/credentials_page.h"
#include "ui/doctor/doctor_window.h"
#include "ui/folders/folders_page.h"
#include "ui/network/network_page.h"
#include "ui/parts/folder_chooser.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/providers/provider_store.h"
#include "ui/tasks/task_page.h"
#include "ui/terminal/terminal_pane.h"
#include "ui/text/plain.h"
#include "ui/timeline/timeline_page.h"
#include "ui/window/welcome_page.h"

#include <QAction>
#include <QCloseEvent>
#include <QHBoxLayout>
#include <QListView>
#include <QPainter>
#include <QPushButton>
#include <QSettings>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolBar>
#include <QVBoxLayout>

namespace carrel::ui {

MainWindow::MainWindow(EngineLink& link)
    : m_link(link)
    , m_store(link)
    , m_approvals(std::make_unique<ApprovalStore>(link))
    , m_providers(std::make_unique<ProviderStore>(link))
    , m_model(new AgentsModel(m_store, this))
    , m_list(new QListView(this))
    , m_splitter(new QSplitter(this))
    , m_middle(new QStackedWidget(this))
    , m_welcome(new WelcomePage(link, this))
    , m_inbox(new ApprovalsPage(link, *m_approvals, this))
    , m_credentials(new CredentialsPage(link, m_store, this))
    , m_engineBar(new MessageBar(this))
    , m_bar(new MessageBar(this))
    , m_new(new QPushButton(tr("New agent…"), this)) {
    setObjectName("mainWindow");
    setWindowTitle(tr("Carrel"));
    m_list->setObjectName("agents");
    m_list->setAccessibleName(tr("Agents"));
    m_list->setModel(m_model);
    m_list->setItemDelegate(new AgentDelegate(m_list));
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setUniformItemSizes(true);
    m_new->setObjectName("newAgent");
    m_engineBar->setObjectName("engineBar");
    m_bar->setObjectName("windowBar");
    m_bar->setClosable(true);
    auto* side = new QWidget(this);
    auto* sideLayout = new QVBoxLayout(side);
    sideLayout->setContentsMargins(0, 0, 0, 6);
    sideLayout->addWidget(m_list, 1);
    auto* below = new QHBoxLayout;
    below->setContentsMargins(6, 0, 6, 0);
    below->addWidget(m_new, 1);
    sideLayout->addLayout(below);
    m_middle->addWidget(m_welcome);
    m_middle->addWidget(m_inbox);
    m_middle->addWidget(m_credentials);
    m_splitter->addWidget(side);
    m_splitter->addWidget(m_middle);
    m_splitter->setStretchFactor(1, 1);
    m_splitter->setChildrenCollapsible(false);
    auto* centre = new QWidget(this);
    auto* all = new QVBoxLayout(centre);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(0);
    all->addWidget(m_engineBar);
    all->addWidget(m_bar);
    all->addWidget(m_splitter, 1);
    setCentralWidget(centre);
    makeActions();

    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& index) {
        if (index.isValid()) {
            showAgent(index.data().toString());
        }
    });
    connect(m_list, &QListView::clicked, this, [this](const QModelIndex& index) { showAgent(index.data().toString()); });
    connect(m_new, &QPushButton::clicked, this, &MainWindow::newAgent);
    connect(m_welcome, &WelcomePage::newWanted, this, &MainWindow::newAgent);
    connect(m_welcome, &WelcomePage::folderWanted, this, [this] { chooseFolder(this, [this](const QString& folder) { newAgentWith(folder); }); });
    connect(&m_store, &AgentStore::changed, this, &MainWindow::agentsChanged);
    connect(m_approvals.get(), &ApprovalStore::changed, this, &MainWindow::approvalsChanged);
    connect(m_approvals.get(), &ApprovalStore::changed, m_credentials, &CredentialsPage::refresh); // which approval.wait tells of, too
    connect(m_approvals.get(), &ApprovalStore::changed, m_providers.get(), &ProviderStore::refresh); // using one keeps rules
    connect(&m_link, &EngineLink::changed, this, &MainWindow::engineChanged);
    connect(m_engineBar, &MessageBar::acted, this, [this] {
        if (m_link.state() == EngineLink::State::Other) {
            m_link.restart();
        } else {
            m_link.start();
        }
    });
    restoreState();
    engineChanged();
    agentsChanged();
    approvalsChanged();
}

MainWindow::~MainWindow() = default;

void MainWindow::makeActions() {
    auto* bar = addToolBar(tr("Main"));
    bar->setObjectName("mainBar");
    bar->setMovable(false);
    bar->setToolButtonStyle(Qt::ToolButtonTextOnly);
    m_inboxAction = bar->addAction(tr("Approvals"), this, &MainWindow::showApprovals);
    m_inboxAction->setObjectName("approvals");
    m_inboxAction->setShortcut(QKeySequence(Qt::CTRL | Qt::Key_I));
    auto* credentials = bar->addAction(tr("Credentials"), this, &MainWindow::showCredentials);
    credentials->setObjectName("credentialsAction");
    credentials->setShortcut(QKeySequence(Qt::CTRL | Qt::Key_K));
    credentials->setToolTip(toolTipOf(tr("Keys of yours that agents use and never see (Ctrl+K)")));
    auto* doctor = bar->addAction(tr("This computer"), this, &MainWindow::examine);
    doctor->setObjectName("doctorAction");
    auto* space = new QWidget(bar);
    space->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    bar->addWidget(space);
    m_resumeAll = bar->addAction(tr("Resume everything"), this, &MainWindow::resumeEverything);
    m_resumeAll->setObjectName("resumeAll");
    m_pauseAll = bar->addAction(pauseIcon(), tr("Pause everything"), this, &MainWindow::pauseEverything);
    m_pauseAll->setObjectName("pauseAll");
    m_pauseAll->setShortcut(QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_P));
    m_pauseAll->setToolTip(toolTipOf(tr("Stops the machines of all agents where they are (Ctrl+Shift+P)")));
    if (auto* const button = bar->widgetForAction(m_pauseAll); button != nullptr) {
        button->setProperty("toolButtonStyle", Qt::ToolButtonTextBesideIcon);
    }
    auto* fresh = new QAction(this);
    fresh->setShortcut(QKeySequence::New);
    connect(fresh, &QAction::triggered, this, &MainWindow::newAgent);
    addAction(fresh);
    auto* quit = new QAction(this);
    quit->setShortcut(QKeySequence::Quit);
    connect(quit, &QAction::triggered, this, &QWidget::close);
    addAction(quit);
}

// In the colour of the window's text, which the style's own icon is not in a dark window.
QIcon MainWindow::pauseIcon() const {
    constexpr int kSide = 32;
    QPixmap pixmap(kSide, kSide);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setPen(Qt::NoPen);
    painter.setBrush(palette().color(QPalette::WindowText));
    painter.drawRect(6, 4, 8, 24);
    painter.drawRect(18, 4, 8, 24);
    return QIcon(pixmap);
}

void MainWindow::changeEvent(QEvent* event) {
    QMainWindow::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_pauseAll != nullptr) {
        m_pauseAll->setIcon(pauseIcon());
    }
}

void MainWindow::engineChanged() {
    const auto state = m_link.state();
    m_new->setEnabled(state == EngineLink::State::Ready || state == EngineLink::State::Silent);
    switch (state) {
    case EngineLink::State::Ready:
        m_engineBar->clear();
        break;
    case EngineLink::State::Looking:
        m_engineBar->say(MessageBar::Kind::Note, tr("Carrel's engine is being started…"));
        break;
    case EngineLink::State::Silent:
        m_engineBar->say(MessageBar::Kind::Warning, tr("Carrel's engine has not answered for a while."),
                         tr("What is shown here may be old. It is asked again until it answers."));
        break;
    case EngineLink::State::Absent:
        if (m_link.trouble().message.empty()) { // it has not been looked for yet
            m_engineBar->clear();
            break;
        }
        m_engineBar->say(MessageBar::Kind::Warning, tr("Carrel's engine does not run: %1").arg(bothOf(m_link.trouble())),
                         tr("The agents' machines go on without it, and nothing of theirs is applied."));
        m_engineBar->offer(tr("&Start it"));
        break;
    case EngineLink::State::Other:
        m_engineBar->say(m_link.trouble());
        m_engineBar->offer(m_link.canRestart() ? tr("&Start the engine again") : QString());
        break;
    }
}

void MainWindow::agentsChanged() {
    const auto& agents = m_store.agents();
    m_welcome->setAnyAgents(!agents.isEmpty());
    bool anyPaused = false;
    bool anyRuns = false;
    for (const auto& agent : agents) {
        anyPaused = anyPaused || agent.state == AgentState::Paused;
        anyRuns = anyRuns || (agent.runs() && agent.state != AgentState::Paused);
    }
    m_resumeAll->setVisible(anyPaused);
    m_pauseAll->setEnabled(true); // always: what this window does not know of may run, too
    for (auto it = m_pages.begin(); it != m_pages.end();) {
        if (m_store.known() && m_store.find(it.key()) == nullptr) {
            if (m_middle->currentWidget() == it.value()) {
                m_middle->setCurrentWidget(m_welcome);
            }
            it.value()->deleteLater();
            it = m_pages.erase(it);
        } else {
            ++it;
        }
    }
    if (m_store.known() && !m_chosenOnce && !agents.isEmpty()) { // at first somebody is shown: the one of the last time, if it is there
        m_chosenOnce = true;
        if (m_middle->currentWidget() == m_welcome && m_store.find(m_wanted) == nullptr) {
            m_wanted = agents.front().name;
        }
    }
    if (!m_wanted.isEmpty() && m_store.find(m_wanted) != nullptr) {
        const auto wanted = std::exchange(m_wanted, {});
        showAgent(wanted);
    }
}

void MainWindow::approvalsChanged() {
    const int open = m_approvals->openCount();
    m_inboxAction->setText(open == 0 ? tr("Approvals") : tr("Approvals (%n)", nullptr, open));
    m_inboxAction->setToolTip(toolTipOf(tr("%n request(s) wait for your answer (Ctrl+I)", nullptr, open)));
    auto font = m_inboxAction->font();
    font.setBold(open > 0);
    m_inboxAction->setFont(font);
}

AgentPage* MainWindow::page(const QString& name) {
    if (auto* const known = m_pages.value(name)) {
        return known;
    }
    auto* const fresh = new AgentPage(m_link, m_store, name, this);
    addPages(*fresh, name);
    connect(fresh, &AgentPage::doctorWanted, this, &MainWindow::examine);
    m_pages.insert(name, fresh);
    m_middle->addWidget(fresh);
    return fresh;
}

void MainWindow::addPages(AgentPage& page, const QString& agent) {
    auto* const tasks = new TaskPage(m_link, *m_providers, agent, &page);
    connect(tasks, &TaskPage::reviewWanted, &page, [&page, reviews = QStringLiteral("changes")] { page.showPage(reviews); });
    page.addPage(tasks, tr("Task"), AgentPage::Needs::Nothing);
    auto* const changes = new ChangesPage(m_link, m_store, agent, &page);
    connect(changes, &ChangesPage::startWanted, &page, &AgentPage::start);
    page.addPage(changes, tr("Changes"));
    auto* const terminal = new TerminalPane(m_link, m_store, agent, &page);
    connect(terminal, &TerminalPane::startWanted, &page, &AgentPage::start);
    page.addPage(terminal, tr("Terminal"));
    auto* const timeline = new TimelinePage(m_link, agent, &page);
    connect(timeline, &TimelinePage::recordingWanted, terminal, [&page, terminal](quint64 recording, qint64 momentMs) {
        page.showPage(terminal->objectName());
        terminal->showRecording(recording, momentMs);
    });
    page.addPage(timeline, tr("Timeline"));
    page.addPage(new FoldersPage(m_link, m_store, agent, &page), tr("Folders"));
    auto* const network = new NetworkPage(m_link, m_store, *m_approvals, agent, &page);
    connect(network, &NetworkPage::credentialsWanted, this, &MainWindow::showCredentials);
    page.addPage(network, tr("Network"));
}

void MainWindow::showAgent(const QString& name) {
    if (m_store.find(name) == nullptr) {
        m_wanted = name;
        return;
    }
    m_middle->setCurrentWidget(page(name));
    const auto index = m_model->indexOf(name);
    if (m_list->currentIndex() != index) {
        m_list->setCurrentIndex(index);
    }
}

void MainWindow::showApprovals() {
    m_list->clearSelection();
    m_list->setCurrentIndex({});
    m_middle->setCurrentWidget(m_inbox);
}

void MainWindow::showCredentials() {
    m_list->clearSelection();
    m_list->setCurrentIndex({});
    m_middle->setCurrentWidget(m_credentials);
}

void MainWindow::newAgent() {
    if (m_create) {
        m_create->raise();
        m_create->activateWindow();
        return;
    }
    auto* dialog = new CreateDialog(m_link, this);
    m_create = dialog;
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    QStringList names;
    for (const auto& each : m_store.agents()) {
        names << each.name;
    }
    dialog->avoid(names);
    connect(dialog, &CreateDialog::created, this, &MainWindow::made);
    dialog->show();
}

void MainWindow::newAgentWith(const QString& folder) {
    newAgent();
    m_create->addFolder(folder);
}

// What comes next is its model, and then the first task: both while its machine starts.
void MainWindow::made(const QString& agent, bool start, const QStringList& notes) {
    m_store.refresh();
    auto* const fresh = page(agent);
    if (!notes.isEmpty()) {
        fresh->note(notes.join('\n'));
    }
    if (start) {
        fresh->start();
    }
    showAgent(agent);
    auto* const tasks = fresh->findChild<TaskPage*>(QStringLiteral("taskPage"));
    fresh->showPage(tasks->objectName());
    if (m_providers->known() && m_providers->usedBy(agent) == nullptr) {
        tasks->chooseModel();
    } else {
        tasks->focusText();
    }
}

void MainWindow::examine() {
    if (!m_doctor) {
        m_doctor = new DoctorWindow(m_link, this);
        m_doctor->setAttribute(Qt::WA_DeleteOnClose);
    }
    m_doctor->examine(DoctorWindow::Probe::Remembered);
    m_doctor->show();
    m_doctor->raise();
}

void MainWindow::told(const Answer& answer, const QString& nobody) {
    m_store.refresh();
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    QStringList failed;
    int done = 0;
    for (const auto& each : api::listAt(*answer, "agents")) {
        if (!each.is_object()) {
            continue;
        }
        const auto& one = each.get_object();
        const auto outcome = api::textAt(one, "outcome");
        done += outcome == "paused" || outcome == "resumed" ? 1 : 0;
        if (outcome == "failed") {
            failed << lineOf(api::textAt(one, "name"), 40) + ": " + lineOf(api::textAt(one, "why"));
        }
    }
    if (!failed.isEmpty()) {
        m_bar->say(MessageBar::Kind::Error, tr("Not every agent could be reached."), failed.join('\n'));
    } else if (done == 0) {
        m_bar->say(MessageBar::Kind::Note, nobody);
    } else {
        m_bar->clear();
    }
}

void MainWindow::pauseEverything() {
    m_link.ask("agent.pause_all", {}, this, [this](const Answer& answer) { told(answer, tr("No agent's machine runs.")); });
}

void MainWindow::resumeEverything() {
    m_link.ask("agent.resume_all", {}, this, [this](const Answer& answer) { told(answer, tr("No agent is paused.")); });
}

void MainWindow::restoreState() {
    QSettings settings;
    if (!restoreGeometry(settings.value("window/geometry").toByteArray())) {
        resize(1100, 720);
    }
    if (!m_splitter->restoreState(settings.value("window/splitter").toByteArray())) {
        m_splitter->setSizes({240, 860});
    }
    m_wanted = settings.value("window/agent").toString();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    QStringList starting;
    for (const auto* const each : std::as_const(m_pages)) {
        if (each->starts()) {
            starting << each->agent();
        }
    }
    if (!starting.isEmpty() && !m_closesAllTheSame) { // whoever asked for a start is waited for by it
        event->ignore();
        auto* question = new Question(tr("Close while an agent starts?"), tr("The start is called off, and the machine is ended. It can be started again."),
                                      starting.join(QStringLiteral(", ")), tr("&Close all the same"), this);
        connect(question, &Question::agreed, this, [this] {
            m_closesAllTheSame = true;
            close();
        });
        question->open();
        return;
    }
    QSettings settings;
    settings.setValue("window/geometry", saveGeometry());
    settings.setValue("window/splitter", m_splitter->saveState());
    const auto* const shown = qobject_cast<AgentPage*>(m_middle->currentWidget());
    settings.setValue("window/agent", shown != nullptr ? shown->agent() : QString());
    QMainWindow::closeEvent(event);
}

} // namespace carrel::ui
