// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_store.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {
constexpr std::chrono::seconds kAfterAnError{2};
constexpr int kMostTasks = 200; // that are listed
} // namespace

TaskStore::TaskStore(EngineLink& link, const QString& agent, QObject* parent)
    : QAbstractListModel(parent)
    , m_link(link)
    , m_agent(agent) {
    m_later.setSingleShot(true);
    connect(&m_later, &QTimer::timeout, this, &TaskStore::list);
    connect(&m_link, &EngineLink::ready, this, [this] {
        delete m_wait;
        delete m_list; // of an engine that is gone
        refresh();
    });
}

void TaskStore::setActive(bool active) {
    m_active = active;
    if (active) {
        refresh();
        return;
    }
    delete m_list;
    delete m_wait;
    m_later.stop();
    m_again = false;
}

void TaskStore::refresh() {
    if (m_list) {
        m_again = true;
    } else if (m_active) {
        list();
    }
}

void TaskStore::list() {
    m_later.stop();
    m_again = false;
    m_list = m_link.ask("task.list", {{"agent", m_agent.toStdString()}, {"limit", kMostTasks}}, this, [this](const Answer& answer) { listed(answer); });
}

void TaskStore::listed(const Answer& answer) {
    m_list = nullptr;
    if (!answer) {
        m_later.start(kAfterAnError);
        emit troubled(answer.error());
        return;
    }
    QVector<TaskInfo> now;
    for (const auto& each : listAt(*answer, "tasks")) {
        if (each.is_object()) {
            now.push_back(taskFrom(each.get_object()));
        }
    }
    m_known = true;
    take(std::move(now));
    if (m_again) {
        list();
    } else {
        wait(numberAt(*answer, "mark"));
    }
}

void TaskStore::wait(std::uint64_t mark) {
    delete m_wait;
    m_wait = m_link.ask("task.wait", {{"mark", mark}}, this, [this](const Answer& answer) {
        m_wait = nullptr;
        if (answer) {
            refresh();
        } else {
            m_later.start(kAfterAnError);
        }
    });
}

// Rows come and go one by one, so that what is chosen stays so.
void TaskStore::take(QVector<TaskInfo> now) {
    const auto isThere = [](const QVector<TaskInfo>& in, std::uint64_t id) {
        return std::any_of(in.begin(), in.end(), [id](const TaskInfo& each) { return each.id == id; });
    };
    for (int row = static_cast<int>(m_tasks.size()) - 1; row >= 0; --row) {
        if (!isThere(now, m_tasks.at(row).id)) {
            beginRemoveRows({}, row, row);
            m_tasks.remove(row);
            endRemoveRows();
        }
    }
    for (int row = 0; row < static_cast<int>(now.size()); ++row) {
        auto& one = now[row];
        const int old = rowOf(one.id);
        if (old < 0) {
            beginInsertRows({}, row, row);
            m_tasks.insert(row, std::move(one));
            endInsertRows();
            continue;
        }
        if (old != row) { // its place is another: of those after it alone
            beginMoveRows({}, old, old, {}, row);
            m_tasks.move(old, row);
            endMoveRows();
        }
        if (m_tasks.at(row) != one) {
            m_tasks[row] = std::move(one);
            emit dataChanged(index(row), index(row));
        }
    }
    emit changed();
}

void TaskStore::put(const TaskInfo& task) {
    const int row = rowOf(task.id);
    if (row < 0) { // newer than all that are known
        beginInsertRows({}, 0, 0);
        m_tasks.prepend(task);
        endInsertRows();
    } else if (m_tasks.at(row) != task) {
        m_tasks[row] = task;
        emit dataChanged(index(row), index(row));
    } else {
        return;
    }
    emit changed();
}

const TaskInfo* TaskStore::find(std::uint64_t id) const {
    const int row = rowOf(id);
    return row < 0 ? nullptr : &m_tasks.at(row);
}

int TaskStore::rowOf(std::uint64_t id) const {
    const auto at = std::find_if(m_tasks.begin(), m_tasks.end(), [id](const TaskInfo& each) { return each.id == id; });
    return at == m_tasks.end() ? -1 : static_cast<int>(at - m_tasks.begin());
}

int TaskStore::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_tasks.size());
}

QVariant TaskStore::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) {
        return {};
    }
    const auto& task = m_tasks.at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return taskTitle(task);
    case Qt::ToolTipRole:
        return toolTipOf(taskTitle(task) + '\n' + taskStandsText(task) + '\n' + taskDetails(task));
    case Qt::AccessibleTextRole:
        return taskTitle(task) + QStringLiteral(", ") + taskStandsText(task);
    case IdRole:
        return QVariant::fromValue(task.id);
    case StandsRole:
        return taskStandsText(task);
    case StateRole:
        return static_cast<int>(task.state);
    case WaitsRole:
        return task.state == TaskState::Waiting;
    default:
        return {};
    }
}

} // namespace carrel::ui
