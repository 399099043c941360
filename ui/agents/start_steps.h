// SPDX-License-Identifier: Apache-2.0
// How a start goes, step by step, and where one that failed has stopped: what happened, what to do, and buttons for it.
// Thread: the window's.
#pragma once

#include "app/api/exchange.h"
#include "guest/protocol/result.h"

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

class QProgressBar;
class QPushButton;
class QVBoxLayout;

namespace carrel::ui {

class PlainLabel;

class StartSteps : public QWidget {
    Q_OBJECT
public:
    explicit StartSteps(QWidget* parent = nullptr);

    void begin();
    // Started by somebody else, so that its steps are not told to this window.
    void beginUnseen();
    void step(const api::Progress& progress);
    void failed(const Error& error);
    void over(); // no clock runs any more
    void setBrief(bool brief); // something stands below it: the step under way alone is told

signals:
    void againWanted();
    void doctorWanted();
    void stopWanted();

private:
    void tell();

    PlainLabel* m_title;
    QProgressBar* m_bar;
    QWidget* m_list;
    QVBoxLayout* m_steps; // in it
    PlainLabel* m_now; // the step under way, where it is told alone
    PlainLabel* m_last = nullptr; // of the step under way
    PlainLabel* m_why;
    PlainLabel* m_what;
    QPushButton* m_again;
    QPushButton* m_doctor;
    QPushButton* m_stop;
    QElapsedTimer m_since;
    QTimer m_second; // a clock that is shown
    QString m_step;
    int m_count = 0;
    bool m_brief = false;
};

} // namespace carrel::ui
