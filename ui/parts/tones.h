// SPDX-License-Identifier: Apache-2.0
// The few colours that mean something, for light and dark windows alike: taken with the palette, so that they keep their contrast
// (WCAG 2.2, at least 4.5 to 1 against the base where text has them). A colour is never the only sign. Thread: pure functions.
#pragma once

#include <QColor>
#include <QPalette>

namespace carrel::ui {

enum class Tone {
    Note,
    Good,
    Warning,
    Bad,     // an error, high risk
    Added,   // of a difference: text
    Removed,
    Claim,   // what a guest says: never looks like what the host saw
};

[[nodiscard]] bool isDark(const QPalette& palette);
[[nodiscard]] QColor toneColour(Tone tone, const QPalette& palette);    // for text and signs
[[nodiscard]] QColor toneBackground(Tone tone, const QPalette& palette); // behind ordinary text

} // namespace carrel::ui
