// SPDX-License-Identifier: Apache-2.0
// The plan of a task, as its agent says it: how far it is in one line, its steps below, ticked, where that line is opened.
// Thread: the window's.
#pragma once

#include "ui/tasks/task_info.h"

#include <QWidget>

class QListWidget;
class QToolButton;

namespace carrel::ui {

class PlanView : public QWidget {
    Q_OBJECT
public:
    explicit PlanView(QWidget* parent);

    void setPlan(const QVector<PlanStep>& plan); // hidden where there is none

private:
    void fill();

    QVector<PlanStep> m_plan;
    bool m_opened = true;
    QToolButton* m_line;
    QListWidget* m_steps;
};

} // namespace carrel::ui
