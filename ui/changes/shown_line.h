// SPDX-License-Identifier: Apache-2.0
// One line of a foreign text as a view paints it: through DisplayText, tabs kept, cut with a mark where it is longer than anybody
// reads. Thread: pure functions.
#pragma once

#include <QString>

#include <cstddef>
#include <string_view>

namespace carrel::ui {

inline constexpr std::size_t kMostOfALine = 4000; // bytes
inline constexpr int kTabColumns = 8;

[[nodiscard]] QString shownLine(std::string_view raw);
// How many columns it takes at most, without making it where that is plain to see.
[[nodiscard]] int columnsOf(std::string_view raw);

} // namespace carrel::ui
