// SPDX-License-Identifier: Apache-2.0
// What an agent is to do: its tasks, the story of the one that is chosen, and the field in which one is typed, a new one or more about
// this one. Shown, it follows the engine's word; hidden, it asks for nothing. Where the agent has no model it says so and how to
// choose one. Thread: the window's.
#pragma once

#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"
#include "ui/tasks/task_info.h"

#include <QPointer>
#include <QWidget>

#include <optional>

class QListView;
class QPushButton;
class QStackedWidget;

namespace carrel::ui {

class EmptyState;
class MessageBar;
class ModelDialog;
class PlanView;
class ProviderStore;
class StoryModel;
class StoryView;
class TaskBox;
class TaskFeed;
class TaskHeader;
class TaskOptions;
class TaskStore;
class WaitPanel;

class TaskPage : public QWidget {
    Q_OBJECT
public:
    TaskPage(EngineLink& link, ProviderStore& providers, const QString& agent, QWidget* parent);

    // The model that its agent thinks with, by the dialog.
    void chooseModel();
    void focusText(); // so that a task can be typed

signals:
    void reviewWanted(); // of what the agent changed

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void layOut();
    void setActive(bool active);
    void tasksChanged();
    void choose(std::uint64_t task); // 0: none, to type a new one
    void told(const TaskInfo& task);
    void fill();
    void fillModel();
    void sendWith(const QString& text, const QStringList& files);
    void send();
    void sent(const Answer& answer);
    void stop();
    void answer(boost::json::object more);
    [[nodiscard]] boost::json::object ofTask() const;
    [[nodiscard]] const TaskInfo* task() const;

    EngineLink& m_link;
    ProviderStore& m_providers;
    QString m_agent;
    TaskStore* m_tasks;
    StoryModel* m_storyModel;
    TaskFeed* m_feed;
    MessageBar* m_bar;
    QWidget* m_side;
    QPushButton* m_new;
    QListView* m_list;
    TaskHeader* m_header;
    PlanView* m_plan;
    QStackedWidget* m_middle;
    EmptyState* m_empty;
    StoryView* m_story;
    WaitPanel* m_wait;
    TaskOptions* m_options;
    TaskBox* m_box;
    QPointer<ModelDialog> m_modelDialog;
    QPointer<Request> m_sending;
    struct Typed {
        QString text;
        QStringList files;
    };
    std::optional<Typed> m_typed; // is sent as soon as there is a model
    std::uint64_t m_chosen = 0;   // 0: a new task is typed
    bool m_modelChosen = false;   // just now: the list of providers need not tell of it yet
    bool m_choseOnce = false;
    bool m_listTrouble = false; // is what the bar says
};

} // namespace carrel::ui
