// SPDX-License-Identifier: Apache-2.0
// The task that is shown: what it is, how it stands, how long it has worked and what that cost, and what can be done with it.
// While it works, its time runs here. Thread: the window's.
#pragma once

#include "ui/tasks/task_info.h"

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

class QPushButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class TaskHeader : public QWidget {
    Q_OBJECT
public:
    explicit TaskHeader(QWidget* parent);

    void setTask(const TaskInfo* task); // null: none, and this is hidden
    void setActive(bool active);     // the clock runs only where somebody looks
    void setStopping(bool stopping);

signals:
    void stopWanted();
    void reviewWanted();
    void goOnWanted(); // of one that failed

private:
    void tell();
    void tellEnd();

    TaskInfo m_task;
    QElapsedTimer m_since; // it was told how long it has worked
    QTimer m_second;
    bool m_active = false;
    PlainLabel* m_title;
    PlainLabel* m_stands;
    PlainLabel* m_cost;
    QPushButton* m_stop;
    MessageBar* m_end; // what came of it
};

} // namespace carrel::ui
