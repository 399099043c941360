// SPDX-License-Identifier: Apache-2.0
// Which removed line became which added one. Of a difference's run of both: those that are alike side by side, each side in its
// order, every line exactly once. Bounded: a long run is paired one by one as it comes. Thread: pure functions.
#pragma once

#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::ui {

inline constexpr std::size_t kNoLine = std::numeric_limits<std::size_t>::max();

// Indices; one of a pair may be kNoLine.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> pairLines(const std::vector<std::string_view>& removed,
                                                                         const std::vector<std::string_view>& added);

} // namespace carrel::ui
