// SPDX-License-Identifier: Apache-2.0
// How a new task is done: by which agent program, with what to do where its machine has not got it, and whether what that asks leave for inside its machine is allowed, as the machine is the boundary, or asked of the owner. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QWidget>

class QCheckBox;
class QComboBox;
class QPushButton;

namespace carrel::ui {

class PlainLabel;

class TaskOptions : public QWidget {
    Q_OBJECT
public:
    TaskOptions(EngineLink& link, const QString& agent, QWidget* parent);

    void addTo(boost::json::object& params) const; // of task.add, what is not as usual

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void refresh(); // which programs there are
    void take(const Answer& answer);
    void check();
    [[nodiscard]] QString installCommand() const;
    [[nodiscard]] std::string program() const; // empty: the agent's own

    EngineLink& m_link;
    QString m_agent;
    QComboBox* m_program;
    QPushButton* m_copy;
    PlainLabel* m_step;
    QCheckBox* m_ask;
    QPointer<Request> m_list;
};

} // namespace carrel::ui
