// SPDX-License-Identifier: Apache-2.0
// What takes a while, in its place: a line of words, how far it is, and a button to call it off. Thread: the window's.
#pragma once

#include <QWidget>

class QProgressBar;
class QPushButton;

namespace carrel::ui {

class PlainLabel;

class ProgressRow : public QWidget {
    Q_OBJECT
public:
    explicit ProgressRow(QWidget* parent); // hidden until its owner shows it

    void tell(const QString& text, double fraction); // below 0: not known
    void end();

signals:
    void cancelled();

private:
    PlainLabel* m_text;
    QProgressBar* m_bar;
    QPushButton* m_cancel;
};

} // namespace carrel::ui
