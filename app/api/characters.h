// SPDX-License-Identifier: Apache-2.0
// What a single character is to somebody who looks at it (invariant I11): the one judgement under DisplayText and under the cells
// of a terminal. Tables: Unicode 14. Thread: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::api {

enum class CharacterKind {
    Hidden, // control, bidirectional, zero-width, private-use, unassigned; spaces other than U+0020 and U+3000
    Mark,   // combines with what stands before it
    Narrow, // one column
    Wide,   // two
};

// More marks than these on one character serve nobody.
inline constexpr std::size_t kMarksInARow = 4;

[[nodiscard]] CharacterKind characterKind(std::uint32_t point);

} // namespace carrel::api
