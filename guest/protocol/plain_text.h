// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin made fit for a JSON message: bounded, and valid UTF-8 (RFC 3629). Not fit for a
// person's eyes yet: control characters stay (design, I11). Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace carrel {

// At most `most` bytes; never ends within a character.
[[nodiscard]] std::string_view cutBetweenCharacters(std::string_view text, std::size_t most);
// The same; where it is not UTF-8, every byte beyond ASCII becomes '?'.
[[nodiscard]] std::string plainText(std::string_view text, std::size_t most);

} // namespace carrel
