// SPDX-License-Identifier: Apache-2.0
// The tasks of one agent, newest first, kept up to date by the engine's word (task.wait) while somebody looks. Owner: the page.
// Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"
#include "ui/tasks/task_info.h"

#include <QAbstractListModel>
#include <QPointer>
#include <QTimer>

namespace carrel::ui {

class TaskStore : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { IdRole = Qt::UserRole, StandsRole, StateRole, WaitsRole };

    TaskStore(EngineLink& link, const QString& agent, QObject* parent);

    // Asked for while it is; nothing is asked for before.
    void setActive(bool active);
    void refresh();
    // The list was read at least once.
    [[nodiscard]] bool known() const { return m_known; }
    [[nodiscard]] const QVector<TaskInfo>& tasks() const { return m_tasks; }
    [[nodiscard]] const TaskInfo* find(std::uint64_t id) const; // null: there is none; until changed()
    [[nodiscard]] int rowOf(std::uint64_t id) const;            // -1: none
    // What another request has told of one, newer than the list.
    void put(const TaskInfo& task);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

signals:
    void changed();
    void troubled(const carrel::Error& error); // the list could not be read

private:
    void list();
    void listed(const Answer& answer);
    void wait(std::uint64_t mark);
    void take(QVector<TaskInfo> now);

    EngineLink& m_link;
    QString m_agent;
    QVector<TaskInfo> m_tasks;
    bool m_active = false;
    bool m_known = false;
    bool m_again = false; // asked for while a list was under way
    QPointer<Request> m_list;
    QPointer<Request> m_wait;
    QTimer m_later; // after an error
};

} // namespace carrel::ui
