// SPDX-License-Identifier: Apache-2.0
// What is wrong with a field, beside it; hidden while nothing is. Thread: the window's.
#pragma once

#include "ui/text/plain.h"

namespace carrel::ui {

class ProblemLabel : public PlainLabel {
    Q_OBJECT
public:
    explicit ProblemLabel(QWidget* parent);

    void say(const QString& problem); // empty: nothing is wrong
};

} // namespace carrel::ui
