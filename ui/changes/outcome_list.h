// SPDX-License-Identifier: Apache-2.0
// What of a decision was not done, file by file, and why; until somebody closes it. Thread: the window's.
#pragma once

#include "ui/changes/deeds.h"

#include <QFrame>

class QTreeWidget;

namespace carrel::ui {

class PlainLabel;

class OutcomeList : public QFrame {
    Q_OBJECT
public:
    explicit OutcomeList(QWidget* parent); // hidden until it has something to show

    void show(const DeedOutcome& outcome);

private:
    PlainLabel* m_title;
    QTreeWidget* m_list;
};

} // namespace carrel::ui
