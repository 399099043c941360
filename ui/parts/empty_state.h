// SPDX-License-Identifier: Apache-2.0
// Where there is nothing to show: why, in words, and perhaps a button that does something about it. Thread: the window's.
#pragma once

#include <QWidget>

class QPushButton;

namespace carrel::ui {

class PlainLabel;

class EmptyState : public QWidget {
    Q_OBJECT
public:
    explicit EmptyState(QWidget* parent);

    void say(const QString& title, const QString& words, const QString& action = {});
    [[nodiscard]] QString text() const;

signals:
    void acted();

private:
    PlainLabel* m_title;
    PlainLabel* m_words;
    QPushButton* m_action;
};

} // namespace carrel::ui
