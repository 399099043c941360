// SPDX-License-Identifier: Apache-2.0
// How an agent is to reach the network: the three ways, each with what it means. Nothing changes by a key that is pressed without
// looking: the safe answer is the default. Deletes itself. Thread: the window's.
#pragma once

#include "ui/text/network_words.h"

#include <QDialog>

namespace carrel::ui {

class ModeDialog : public QDialog {
    Q_OBJECT
public:
    ModeDialog(const QString& agent, NetMode now, QWidget* parent);

signals:
    void chosen(carrel::ui::NetMode mode);
};

} // namespace carrel::ui
