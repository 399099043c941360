// SPDX-License-Identifier: Apache-2.0
// The signs that stand beside words in the lists: a shape each, so that none of them is told by its colour alone.
// Thread: the window's.
#pragma once

#include <QIcon>
#include <QPalette>

namespace carrel::ui {

enum class Mark { HighRisk, Conflict, New, Changed, Deleted, Renamed, Other };

// Of the palette's colours: asked for anew when that changes.
[[nodiscard]] QIcon markIcon(Mark mark, const QPalette& palette);

} // namespace carrel::ui
