// SPDX-License-Identifier: Apache-2.0
// A web server in an agent's machine, to be shown in the user's browser: at which port it listens there, for how long, and what that
// means, in the engine's words for that very port, before anything can be agreed to. Nothing happens by a key that is pressed without
// looking: the safe answer is the default. Deletes itself. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QDialog>
#include <QPointer>

class QComboBox;
class QFrame;
class QLineEdit;
class QPushButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class ShowServerDialog : public QDialog {
    Q_OBJECT
public:
    ShowServerDialog(EngineLink& link, const QString& agent, QWidget* parent);

signals:
    void shown(quint64 number); // as forward.list has it

protected:
    void changeEvent(QEvent* event) override;

private:
    void look();
    void told(const Answer& answer);
    void showIt();
    void colour();
    [[nodiscard]] boost::json::object wanted() const;

    EngineLink& m_link;
    QString m_agent;
    QLineEdit* m_port;
    QComboBox* m_time;
    QFrame* m_riskFrame;
    PlainLabel* m_risk;
    PlainLabel* m_what;
    PlainLabel* m_meaning;
    MessageBar* m_bar;
    QPushButton* m_agree = nullptr;
    QPointer<Request> m_request;
};

} // namespace carrel::ui
