// SPDX-License-Identifier: Apache-2.0
// Amounts of US dollars, in millionths and whole numbers: what is added up thousands of times must not drift, and a bill has no halves of
// a cent to be argued about. Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::providers {

using MicroDollars = std::uint64_t;
inline constexpr MicroDollars kDollar = 1'000'000;
inline constexpr MicroDollars kMostMoney = 1'000'000'000'000'000; // a thousand million dollars; sums stay there

// "5", "5.00", "0.075": digits, and at most six of them behind a point. None: it is none, or more than kMostMoney.
[[nodiscard]] std::optional<MicroDollars> moneyFrom(std::string_view text);
// "$5.00", "$0.075", "$0.000003": at least two digits behind the point, and no more than there are.
[[nodiscard]] std::string moneyText(MicroDollars amount);

} // namespace carrel::providers
