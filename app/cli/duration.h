// SPDX-License-Identifier: Apache-2.0
// A length of time as a person writes it: 90s, 10m, 12h, 30d. Thread: pure.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace carrel::cli {

// None where it is no such text, or longer than seven digits.
[[nodiscard]] std::optional<std::chrono::seconds> durationFrom(std::string_view text);

} // namespace carrel::cli
