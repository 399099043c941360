// SPDX-License-Identifier: Apache-2.0
// What was applied and taken back, and taking any of it back. Decides nothing itself: undoWanted() is said after the person said
// yes. Owner: its parent. Thread: the window's.
#pragma once

#include "ui/changes/history_model.h"

#include <QWidget>

class QPushButton;
class QStackedWidget;
class QTreeView;

namespace carrel::ui {

class EmptyState;
class MessageBar;

class HistoryView : public QWidget {
    Q_OBJECT
public:
    HistoryView(EngineLink& link, QString agent, QWidget* parent);

    void reload() { m_model->reload(); }
    void setBusy(bool busy); // something is being done; nothing else can be begun

signals:
    void undoWanted(quint64 number);

private:
    void update();
    void askUndo();

    HistoryModel* m_model;
    MessageBar* m_trouble;
    QStackedWidget* m_stack;
    EmptyState* m_empty;
    QTreeView* m_list;
    QPushButton* m_undo;
    bool m_busy = false;
};

} // namespace carrel::ui
