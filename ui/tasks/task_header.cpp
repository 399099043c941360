// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_header.h"

#include "ui/parts/message_bar.h"
#include "ui/text/plain.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

TaskHeader::TaskHeader(QWidget* parent)
    : QWidget(parent)
    , m_title(new PlainLabel({}, this))
    , m_stands(new PlainLabel({}, this))
    , m_cost(new PlainLabel({}, this))
    , m_stop(new QPushButton(tr("Stop the &task"), this))
    , m_end(new MessageBar(this)) {
    setObjectName("taskHeader");
    m_title->setObjectName("taskTitle");
    m_stands->setObjectName("taskStands");
    m_cost->setObjectName("taskCost");
    m_stop->setObjectName("stopTask");
    m_end->setObjectName("taskEnd");
    m_stop->setAutoDefault(false);
    m_stop->setToolTip(toolTipOf(tr("Stops this task. What it has changed stays for your review.")));
    auto bold = font();
    bold.setBold(true);
    m_title->setFont(bold);
    m_stands->setWordWrap(false);
    auto* const line = new QHBoxLayout;
    line->addWidget(m_title, 1);
    line->addWidget(m_stop, 0, Qt::AlignTop);
    auto* const below = new QHBoxLayout;
    below->addWidget(m_stands);
    below->addSpacing(12);
    below->addWidget(m_cost, 1);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(4);
    all->addLayout(line);
    all->addLayout(below);
    all->addWidget(m_end);
    connect(m_stop, &QPushButton::clicked, this, &TaskHeader::stopWanted);
    connect(m_end, &MessageBar::acted, this, [this] {
        if (m_task.state == TaskState::Done || m_task.staged > 0) {
            emit reviewWanted();
        } else {
            emit goOnWanted();
        }
    });
    m_second.setInterval(1000);
    connect(&m_second, &QTimer::timeout, this, &TaskHeader::tell);
    setVisible(false);
}

void TaskHeader::setTask(const TaskInfo* task) {
    setVisible(task != nullptr);
    const bool another = task == nullptr || task->id != m_task.id;
    const bool same = task != nullptr && *task == m_task && !another;
    m_task = task == nullptr ? TaskInfo{} : *task;
    if (!same) {
        m_since.start();
    }
    if (task != nullptr) {
        m_title->setText(brokenText(taskTitle(*task)));
        m_stop->setVisible(task->isOpen());
        m_stop->setText(task->state == TaskState::Scheduled ? tr("&Take it off") : tr("Stop the &task"));
        m_stands->setToolTip(toolTipOf(taskDetails(*task)));
        m_cost->setToolTip(m_stands->toolTip());
        tell();
        if (!same) {
            tellEnd();
        }
    }
    setActive(m_active);
}

void TaskHeader::setActive(bool active) {
    m_active = active;
    if (active && m_task.works()) {
        m_second.start();
    } else {
        m_second.stop();
    }
}

void TaskHeader::setStopping(bool stopping) {
    m_stop->setEnabled(!stopping);
}

void TaskHeader::tell() {
    auto worked = m_task.worked;
    if (m_task.works()) {
        worked += std::chrono::milliseconds(m_since.elapsed());
    }
    m_stands->setText(taskStandsText(m_task));
    m_cost->setText(m_task.begun.empty() ? QString() : tr("%1 of work; %2").arg(workedText(worked), usageText(m_task.usage)));
}

void TaskHeader::tellEnd() {
    const auto review = tr("Re&view %n change(s)", nullptr, countOf(m_task.staged));
    if (m_task.state == TaskState::Failed) {
        const auto what = m_task.error ? lineOf(m_task.error->first, kWholeColumns) : tr("It did not come to its end, and nobody says why.");
        m_end->say(MessageBar::Kind::Error, what, m_task.error ? lineOf(m_task.error->second, kWholeColumns) : QString());
        m_end->offer(m_task.staged > 0 ? review : tr("&Go on…"));
    } else if (m_task.isOver() && m_task.staged > 0) {
        m_end->say(MessageBar::Kind::Note, tr("It left %n change(s) for your review. Nothing of yours is other than it was before you apply them.", nullptr, countOf(m_task.staged)));
        m_end->offer(review);
    } else if (m_task.state == TaskState::Done) {
        m_end->say(MessageBar::Kind::Note, tr("It has changed nothing that waits for your review."));
    } else if (m_task.state == TaskState::Cancelled) {
        m_end->say(MessageBar::Kind::Note, tr("It was stopped, and has changed nothing that waits for your review."));
    } else {
        m_end->clear();
    }
}

} // namespace carrel::ui
