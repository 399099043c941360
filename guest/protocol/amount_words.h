// SPDX-License-Identifier: Apache-2.0
// Counts, lengths of time and amounts of money as a person reads them, and money as one writes it. Money is US dollars in millionths and
// whole numbers: what is added up thousands of times must not drift. Thread: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel {

using MicroDollars = std::uint64_t;
inline constexpr MicroDollars kDollar = 1'000'000;
inline constexpr MicroDollars kMostMoney = 1'000'000'000'000'000; // a thousand million dollars; sums stay there

// "5", "5.00", "0.075": digits, and at most six of them behind a point. None: it is none, or more than kMostMoney.
[[nodiscard]] std::optional<MicroDollars> moneyFrom(std::string_view text);
[[nodiscard]] std::string moneyText(MicroDollars amount);      // "$5.00", "$0.075", "$0.000003": with all that there is
[[nodiscard]] std::string countWords(std::uint64_t count);      // "2,000,000"
[[nodiscard]] std::string timeWords(std::chrono::seconds time); // "2 h 5 min", "40 s"; less than none is none

} // namespace carrel
