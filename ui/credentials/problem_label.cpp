// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/problem_label.h"

#include "ui/parts/tones.h"

namespace carrel::ui {

ProblemLabel::ProblemLabel(QWidget* parent)
    : PlainLabel({}, parent) {
    setVisible(false);
}

void ProblemLabel::say(const QString& problem) {
    auto colours = palette();
    colours.setColor(QPalette::WindowText, toneColour(Tone::Bad, QPalette())); // of the window as it is now, light or dark
    setPalette(colours);
    setText(problem.isEmpty() ? problem : QStringLiteral("⚠ ") + problem);
    setVisible(!problem.isEmpty());
}

} // namespace carrel::ui
