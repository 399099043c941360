// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_page.h"

#include "app/api/answers.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/providers/model_dialog.h"
#include "ui/providers/provider_store.h"
#include "ui/tasks/attachments.h"
#include "ui/tasks/plan_view.h"
#include "ui/tasks/story_model.h"
#include "ui/tasks/story_view.h"
#include "ui/tasks/task_box.h"
#include "ui/tasks/task_delegate.h"
#include "ui/tasks/task_feed.h"
#include "ui/tasks/task_header.h"
#include "ui/tasks/task_options.h"
#include "ui/tasks/task_store.h"
#include "ui/tasks/wait_panel.h"
#include "ui/text/plain.h"

#include <QDragEnterEvent>
#include <QFile>
#include <QListView>
#include <QMimeData>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <utility>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

TaskPage::TaskPage(EngineLink& link, ProviderStore& providers, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_providers(providers)
    , m_agent(agent)
    , m_tasks(new TaskStore(link, agent, this))
    , m_storyModel(new StoryModel(this))
    , m_feed(new TaskFeed(link, agent, *m_storyModel, this))
    , m_bar(new MessageBar(this))
    , m_side(new QWidget(this))
    , m_new(new QPushButton(tr("New tas&k"), m_side))
    , m_list(new QListView(m_side))
    , m_header(new TaskHeader(this))
    , m_plan(new PlanView(this))
    , m_middle(new QStackedWidget(this))
    , m_empty(new EmptyState(this))
    , m_story(new StoryView(*m_storyModel, this))
    , m_wait(new WaitPanel(m_story, this))
    , m_options(new TaskOptions(link, agent, this))
    , m_box(new TaskBox(this)) {
    setObjectName("taskPage");
    setAcceptDrops(true);
    layOut();
    connect(m_tasks, &TaskStore::changed, this, &TaskPage::tasksChanged);
    connect(m_tasks, &TaskStore::troubled, this, [this](const Error& error) {
        if (error.code != ErrorCode::Unavailable) { // of an engine that is away the window speaks
            m_bar->say(error);
            m_listTrouble = true;
        }
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& index) {
        if (index.isValid()) {
            choose(index.data(TaskStore::IdRole).toULongLong());
        }
    });
    connect(m_feed, &TaskFeed::told, this, &TaskPage::told);
    connect(m_feed, &TaskFeed::troubled, this, [this](const Error& error) {
        if (error.code != ErrorCode::Unavailable) {
            m_bar->say(error);
        }
    });
    connect(m_new, &QPushButton::clicked, this, [this] {
        choose(0);
        focusText();
    });
    connect(m_box, &TaskBox::newWanted, this, [this] {
        m_box->carryToNew();
        choose(0);
        focusText();
    });
    connect(m_box, &TaskBox::modelWanted, this, &TaskPage::chooseModel);
    connect(m_box, &TaskBox::sent, this, &TaskPage::sendWith);
    connect(m_empty, &EmptyState::acted, this, &TaskPage::chooseModel);
    connect(m_header, &TaskHeader::stopWanted, this, &TaskPage::stop);
    connect(m_header, &TaskHeader::reviewWanted, this, &TaskPage::reviewWanted);
    connect(m_header, &TaskHeader::goOnWanted, this, [this] { m_box->suggest(tr("Go on where you stopped.")); });
    connect(m_wait, &WaitPanel::optionChosen, this, [this](std::uint64_t request, const std::string& option) { answer({{"request", request}, {"option", option}}); });
    connect(m_wait, &WaitPanel::refused, this, [this](std::uint64_t request) { answer({{"request", request}}); });
    connect(m_wait, &WaitPanel::goOnWanted, this, [this] { answer({{"go_on", true}}); });
    connect(m_wait, &WaitPanel::providerWanted, this, &TaskPage::chooseModel);
    connect(&m_providers, &ProviderStore::changed, this, [this] {
        m_modelChosen = m_modelChosen && m_providers.usedBy(m_agent) == nullptr;
        fillModel();
    });
    fill();
    fillModel();
}

void TaskPage::layOut() {
    m_bar->setObjectName("taskBar");
    m_bar->setClosable(true);
    m_empty->setObjectName("taskEmpty");
    m_new->setObjectName("newTask");
    m_new->setToolTip(toolTipOf(tr("What is typed then is a task of its own, done after those that were given before")));
    m_list->setObjectName("tasks");
    m_list->setAccessibleName(tr("Tasks, newest first"));
    m_list->setModel(m_tasks);
    m_list->setItemDelegate(new TaskDelegate(m_list));
    m_list->setUniformItemSizes(true);
    m_list->setTabKeyNavigation(false);
    auto* const side = new QVBoxLayout(m_side);
    side->setContentsMargins(0, 0, 4, 0);
    side->addWidget(m_new);
    side->addWidget(m_list, 1);
    m_middle->addWidget(m_empty);
    m_middle->addWidget(m_story);
    auto* const main = new QWidget(this);
    auto* const column = new QVBoxLayout(main);
    column->setContentsMargins(4, 0, 0, 0);
    column->addWidget(m_header);
    column->addWidget(m_plan);
    column->addWidget(m_middle, 1);
    column->addWidget(m_wait);
    column->addWidget(m_options);
    column->addWidget(m_box);
    auto* const splitter = new QSplitter(this);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(m_side);
    splitter->addWidget(main);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({210, 700});
    auto* const all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(splitter, 1);
    m_side->setVisible(false);
}

json::object TaskPage::ofTask() const {
    return {{"agent", m_agent.toStdString()}, {"task", m_chosen}};
}

const TaskInfo* TaskPage::task() const {
    return m_chosen == 0 ? nullptr : m_tasks->find(m_chosen);
}

void TaskPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    setActive(true);
}

void TaskPage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    setActive(false);
}

void TaskPage::setActive(bool active) {
    m_tasks->setActive(active);
    m_feed->setActive(active);
    m_header->setActive(active);
    if (active) {
        m_providers.refresh();
    }
}

void TaskPage::focusText() {
    m_box->focusText();
}

void TaskPage::tasksChanged() {
    if (std::exchange(m_listTrouble, false)) {
        m_bar->clear();
    }
    m_side->setVisible(m_tasks->rowCount() > 0);
    if (m_chosen != 0 && m_tasks->find(m_chosen) == nullptr) {
        choose(0);
    } else if (!m_choseOnce && m_tasks->rowCount() > 0) { // at first the newest
        m_choseOnce = true;
        choose(m_tasks->tasks().front().id);
    }
    fill();
}

void TaskPage::choose(std::uint64_t task) {
    m_choseOnce = true;
    m_chosen = task;
    m_feed->setTask(task);
    const int row = m_tasks->rowOf(task);
    if (row < 0) {
        m_list->clearSelection();
        m_list->setCurrentIndex({});
    } else if (m_list->currentIndex().row() != row) {
        m_list->setCurrentIndex(m_tasks->index(row));
    }
    fill();
}

void TaskPage::told(const TaskInfo& task) {
    if (task.id == m_chosen) {
        m_tasks->put(task); // which tells of it
    }
}

void TaskPage::fill() {
    const auto* const one = task();
    m_header->setTask(one);
    m_plan->setPlan(one != nullptr ? one->plan : QVector<PlanStep>());
    m_wait->setWait(one != nullptr && one->state == TaskState::Waiting ? one->waitsFor : std::nullopt);
    m_options->setVisible(one == nullptr);
    m_box->setTarget(one);
    m_middle->setCurrentWidget(one == nullptr ? static_cast<QWidget*>(m_empty) : m_story);
}

void TaskPage::fillModel() {
    const auto* const model = m_providers.usedBy(m_agent);
    m_box->setModel(model != nullptr ? modelText(*model) : QString());
    if (model == nullptr && m_providers.known()) {
        m_empty->say(tr("Which model does it think with?"),
                     tr("An agent needs a model to do a task: one of a provider that you have a key of, or one on this computer."), tr("&Choose a model…"));
    } else {
        m_empty->say(tr("What is to be done?"),
                     tr("Type it below, in plain words, and drop files on it that belong to it. The agent works in its own machine; what it changes in the folders "
                        "that you gave it waits until you have looked at it."));
    }
}

void TaskPage::chooseModel() {
    if (m_modelDialog) {
        m_modelDialog->raise();
        m_modelDialog->activateWindow();
        return;
    }
    auto* const dialog = new ModelDialog(m_link, m_agent, m_providers.all(), this);
    m_modelDialog = dialog;
    connect(dialog, &ModelDialog::added, &m_providers, &ProviderStore::refresh);
    connect(dialog, &ModelDialog::chosen, this, [this] {
        m_modelChosen = true;
        m_providers.refresh();
        if (const auto* const one = task(); one != nullptr && one->waitsFor && one->waitsFor->kind == TaskWait::Kind::Provider) {
            answer({{"go_on", true}}); // what it waited for is there
        }
        if (m_typed) {
            send();
        }
        focusText();
    });
    connect(dialog, &QDialog::rejected, this, [this] { m_typed.reset(); });
    dialog->show(); // and not in front of the brake
}

void TaskPage::sendWith(const QString& text, const QStringList& files) {
    m_typed = Typed{text, files};
    if (!m_modelChosen && m_providers.known() && m_providers.usedBy(m_agent) == nullptr) { // nobody would do it: it is sent once there is one
        chooseModel();
        return;
    }
    send();
}

void TaskPage::send() {
    if (m_sending || !m_typed) {
        return;
    }
    json::object params{{"agent", m_agent.toStdString()}, {"text", m_typed->text.toStdString()}};
    if (m_chosen != 0) {
        params["task"] = m_chosen;
    } else {
        m_options->addTo(params);
    }
    if (!m_typed->files.isEmpty()) {
        json::array files;
        for (const auto& each : m_typed->files) {
            files.emplace_back(QFile::encodeName(each).toStdString());
        }
        params["files"] = std::move(files);
    }
    m_box->setSending(true);
    m_sending = m_link.ask(m_chosen != 0 ? "task.say" : "task.add", std::move(params), this, [this](const Answer& answer) { sent(answer); });
}

void TaskPage::sent(const Answer& answer) {
    m_sending = nullptr;
    m_typed.reset();
    m_box->setSending(false);
    m_box->focusText();
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    m_bar->clear();
    m_box->taken();
    const auto task = taskFrom(objectAt(*answer, "task"));
    if (task.id != 0) {
        m_tasks->put(task);
        m_story->goToEnd();
        choose(task.id);
    }
    m_tasks->refresh();
}

void TaskPage::stop() {
    if (m_chosen == 0) {
        return;
    }
    m_header->setStopping(true);
    m_link.ask("task.cancel", ofTask(), this, [this](const Answer& answer) {
        m_header->setStopping(false);
        if (!answer) {
            m_bar->say(answer.error());
            return;
        }
        m_tasks->refresh();
    });
}

void TaskPage::answer(json::object more) {
    if (m_chosen == 0) {
        return;
    }
    auto params = ofTask();
    for (const auto& each : more) {
        params[each.key()] = each.value();
    }
    m_wait->setAnswering(true);
    m_link.ask("task.answer", std::move(params), this, [this](const Answer& answer) {
        m_wait->setAnswering(false);
        if (!answer) {
            m_bar->say(answer.error());
            return;
        }
        if (const auto task = taskFrom(objectAt(*answer, "task")); task.id != 0) {
            m_tasks->put(task);
        }
        m_box->focusText();
    });
}

void TaskPage::dragEnterEvent(QDragEnterEvent* event) {
    if (Attachments::takes(event->mimeData())) {
        event->acceptProposedAction();
    }
}

void TaskPage::dropEvent(QDropEvent* event) {
    m_box->attach(event->mimeData());
    event->acceptProposedAction();
}

} // namespace carrel::ui
