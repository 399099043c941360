// SPDX-License-Identifier: Apache-2.0
// What works on this computer and what to do about the rest (the verb doctor): each finding in plain words; where a command mends
// it, that command as it has to be typed, to be copied. Carrel never gives it itself: nothing happens as root behind anybody's back.
// Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QDialog>

class QProgressBar;
class QPushButton;
class QScrollArea;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class DoctorWindow : public QDialog {
    Q_OBJECT
public:
    DoctorWindow(EngineLink& link, QWidget* parent);

    enum class Probe { Remembered, Fresh };
    void examine(Probe probe);

private:
    void tell(const boost::json::object& report);

    EngineLink& m_link;
    PlainLabel* m_summary;
    PlainLabel* m_more;
    QProgressBar* m_busy;
    PlainLabel* m_step;
    MessageBar* m_bar;
    QScrollArea* m_findings;
    PlainLabel* m_about;
    QPushButton* m_again;
    QPointer<Request> m_request;
};

} // namespace carrel::ui
