// SPDX-License-Identifier: Apache-2.0
// Putting one text in the place of another, and what to say where that cannot be done. Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"

namespace carrel::agent {

enum class Places { One, All };

struct ReplacedText {
    std::string text;
    std::size_t places = 0;
    std::size_t firstLine = 0; // of the first place
};

// InvalidArgument: `old` is empty, or the same as `with`. NotFound: see nearestLines(). Conflict: it is there more than
// once, with the numbers of lines where. LimitExceeded: more than `most` bytes would come of it.
[[nodiscard]] Result<ReplacedText> replaceText(std::string_view text, std::string_view old, std::string_view with, Places places,
                                               std::size_t most);
// The lines of `text` that are most like the first line of `wanted` that says anything, and as many after it as `wanted` has (bounded),
// with their numbers. Empty where none is like it.
[[nodiscard]] std::string nearestLines(std::string_view text, std::string_view wanted);

} // namespace carrel::agent
