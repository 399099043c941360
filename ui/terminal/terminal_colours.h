// SPDX-License-Identifier: Apache-2.0
// The colours of a terminal: the window's own text and ground where a program names none; of the 16 that have names, such as can be
// read on that ground, light or dark (WCAG 2.2, at least 4.5 to 1, but for the two that are meant as grounds); the rest as xterm has
// them. Thread: the window's.
#pragma once

#include "app/api/terminal_wire.h"

#include <QColor>
#include <QPalette>

namespace carrel::ui {

struct CellColours {
    QColor text;
    QColor ground;
    bool plainGround = true; // that of the window
};

[[nodiscard]] CellColours coloursOf(const api::terminal::Style& style, const QPalette& palette);
// Of 256.
[[nodiscard]] QColor indexedColour(int index, const QPalette& palette);

} // namespace carrel::ui
