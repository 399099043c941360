// SPDX-License-Identifier: Apache-2.0
// What stands in the middle while no agent is shown: that there is none yet and how to make one; before that, that the guest
// system is missing, and its making. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QWidget>

class QProgressBar;
class QPushButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class WelcomePage : public QWidget {
    Q_OBJECT
public:
    WelcomePage(EngineLink& link, QWidget* parent);

    void setAnyAgents(bool any);

signals:
    void newWanted();
    void folderWanted(); // a first agent, which begins with its folder

private:
    void look();
    void build();
    void tell();

    EngineLink& m_link;
    PlainLabel* m_title;
    PlainLabel* m_words;
    QPushButton* m_action;
    QPushButton* m_other;
    QProgressBar* m_progress;
    PlainLabel* m_step;
    MessageBar* m_bar;
    QPointer<Request> m_building;
    bool m_any = false;
    bool m_imageMissing = false;
};

} // namespace carrel::ui
