// SPDX-License-Identifier: Apache-2.0
// What a task waits for, and the buttons that answer it. Of a permission the words are the agent's claim, and look like it; what a
// button does is said in Carrel's own words, the agent's name for it in quotation marks beside. No button is the default: nothing
// is answered by Enter in passing. Thread: the window's.
#pragma once

#include "ui/tasks/task_info.h"

#include <QFrame>

class QPushButton;

namespace carrel::ui {

class FlowLayout;
class PlainLabel;

class WaitPanel : public QFrame {
    Q_OBJECT
public:
    // By the keyboard its buttons are reached after `before`.
    WaitPanel(QWidget* before, QWidget* parent);

    void setWait(const std::optional<TaskWait>& wait); // hidden where there is none
    void setAnswering(bool answering);              // an answer is under way

signals:
    void optionChosen(std::uint64_t request, const std::string& option);
    void refused(std::uint64_t request); // with none of its options
    void goOnWanted();
    void providerWanted();

private:
    QPushButton* addButton(const QString& text, const char* name);

    QWidget* m_before;
    std::optional<TaskWait> m_wait;
    PlainLabel* m_title;
    PlainLabel* m_text;
    PlainLabel* m_hint;
    QWidget* m_row;
    FlowLayout* m_buttons;
};

} // namespace carrel::ui
