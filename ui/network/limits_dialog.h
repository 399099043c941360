// SPDX-License-Identifier: Apache-2.0
// How much an agent's connections may carry, a second and a day: an amount as the command line takes it, or nothing for no limit. Gives
// an answer only for a change that can be read; what it means is beside it. Thread: the window's.
#pragma once

#include <QDialog>

#include <cstdint>

namespace carrel::ui {

class LimitsDialog : public QDialog {
    Q_OBJECT
public:
    // In bytes; 0: none.
    LimitsDialog(const QString& agent, std::uint64_t rate, std::uint64_t day, QWidget* parent);

signals:
    void chosen(std::uint64_t rate, std::uint64_t day);
};

} // namespace carrel::ui
