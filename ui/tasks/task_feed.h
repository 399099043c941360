// SPDX-License-Identifier: Apache-2.0
// One task and its story as it comes (task.watch): the first pages at once, then by the engine's word. What comes is handed on once a
// frame at most, and asked for no sooner, so that a program that floods its story slows nothing here. Owner: the page. Thread: the
// window's.
#pragma once

#include "ui/engine/engine_link.h"
#include "ui/tasks/story_item.h"
#include "ui/tasks/task_info.h"

#include <QObject>
#include <QPointer>
#include <QTimer>

#include <vector>

namespace carrel::ui {

class StoryModel;

class TaskFeed : public QObject {
    Q_OBJECT
public:
    TaskFeed(EngineLink& link, const QString& agent, StoryModel& story, QObject* parent);

    // Another task's story from its beginning; 0: none.
    void setTask(std::uint64_t task);
    [[nodiscard]] std::uint64_t task() const { return m_task; }
    void setActive(bool active);

signals:
    void told(const carrel::ui::TaskInfo& task); // how it stands
    void troubled(const carrel::Error& error);

private:
    void ask();
    void answered(const Answer& answer);
    void flush();

    EngineLink& m_link;
    QString m_agent;
    StoryModel& m_story;
    std::uint64_t m_task = 0;
    std::uint64_t m_mark = 0;
    bool m_active = false;
    bool m_caughtUp = false; // all that there was has come
    std::vector<StoryItem> m_pending;
    QPointer<Request> m_request;
    QTimer m_frame;
    QTimer m_later; // after an error
};

} // namespace carrel::ui
