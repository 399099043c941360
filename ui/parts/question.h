// SPDX-License-Identifier: Apache-2.0
// A question whose answer does something that cannot simply be taken back. The safe answer is the default, is what Escape gives, and
// has the focus. What it is about stands in a line of its own, apart from Carrel's words. Deletes itself. Thread: the window's.
#pragma once

#include <QDialog>

class QPushButton;

namespace carrel::ui {

class Question : public QDialog {
    Q_OBJECT
public:
    // `about`: a name from outside, already fit to be shown (ui/text/plain.h); empty: none.
    Question(const QString& title, const QString& words, const QString& about, const QString& yes, QWidget* parent);

signals:
    void agreed();
};

} // namespace carrel::ui
