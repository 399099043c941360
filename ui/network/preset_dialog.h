// SPDX-License-Identifier: Apache-2.0
// Sets of rules for the network that Carrel comes with: what each is for, and the very rules that would be kept for this agent, as
// the engine makes them now. They are kept by a click alone, once they are shown. Deletes itself. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QDialog>
#include <QPointer>

class QListWidget;
class QPlainTextEdit;
class QPushButton;
class QTreeWidget;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class PresetDialog : public QDialog {
    Q_OBJECT
public:
    PresetDialog(EngineLink& link, const QString& agent, QWidget* parent);

signals:
    void kept(int rules, bool offline); // offline: the agent has no network all the same

private:
    void list(const Answer& answer);
    void look();
    void preview(const Answer& answer);
    void keep();

    EngineLink& m_link;
    QString m_agent;
    boost::json::array m_presets;
    QListWidget* m_list;
    PlainLabel* m_what;
    QTreeWidget* m_rules;
    PlainLabel* m_there;
    QPlainTextEdit* m_toml;
    MessageBar* m_bar;
    QPushButton* m_keep;
    QPointer<Request> m_request;
};

} // namespace carrel::ui
