// SPDX-License-Identifier: Apache-2.0
// Where a task is typed, with the files that go with it: a new one, or a follow-up in one that there is, which a line above says.
// What is typed stays until the engine has it, and with the task that it was typed for. Thread: the window's.
#pragma once

#include "ui/tasks/task_info.h"

#include <QHash>
#include <QWidget>

class QMimeData;
class QPushButton;
class QToolButton;

namespace carrel::ui {

class Attachments;
class PlainLabel;
class TaskEdit;

class TaskBox : public QWidget {
    Q_OBJECT
public:
    explicit TaskBox(QWidget* parent);

    void setTarget(const TaskInfo* task); // null: a new task
    void setModel(const QString& model);  // which thinks; empty: none is chosen
    void setSending(bool sending);
    void taken(); // the engine has it: the field is empty for what comes next
    void carryToNew(); // what is typed is for a new task, where nothing is typed for one
    void suggest(const QString& text); // where nothing is typed
    void attach(const QMimeData* dropped);
    void focusText();

signals:
    void sent(const QString& text, const QStringList& files);
    void newWanted();
    void modelWanted();

private:
    struct Draft {
        QString text;
        QStringList files;
    };
    void restore(const Draft& draft);
    void send();
    void check();
    void chooseFiles();

    class Target;
    Target* m_target;
    QPushButton* m_new;
    Attachments* m_files;
    TaskEdit* m_text;
    PlainLabel* m_problem;
    QPushButton* m_attach;
    QToolButton* m_model;
    PlainLabel* m_keys;
    QPushButton* m_send;
    std::uint64_t m_task = 0; // that it is about; 0: a new one
    QHash<std::uint64_t, Draft> m_drafts; // of the others
    bool m_sending = false;
    QStringList m_refused; // why files are not there that were to be
};

} // namespace carrel::ui
