// SPDX-License-Identifier: Apache-2.0
// A number of bytes as a person writes it and reads it back: 5MiB, 2 GB, 1234567. Whole numbers only, so that what was said is what is
// shown. Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel {

inline constexpr std::uint64_t kMostAmount = 1ULL << 50U; // 1 PiB

// "5 MiB", "2 GB", "1234567 bytes": in the largest unit that loses nothing.
[[nodiscard]] std::string amountText(std::uint64_t bytes);
// At most seven digits, then perhaps spaces and a unit: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, PiB, whatever the case. None: it is none,
// or beyond kMostAmount.
[[nodiscard]] std::optional<std::uint64_t> amountFrom(std::string_view text);

} // namespace carrel
