// SPDX-License-Identifier: Apache-2.0
#include "app/providers/prices_money.h"

#include <algorithm>

namespace carrel::providers {

namespace {

constexpr std::size_t kPlaces = 6;

bool isDigits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

std::optional<MicroDollars> moneyFrom(std::string_view text) {
    constexpr std::size_t kMostDigits = 10;
    const auto point = text.find('.');
    const auto whole = text.substr(0, point);
    const auto part = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    const bool isFit = !whole.empty() && whole.size() <= kMostDigits && part.size() <= kPlaces && (point == std::string_view::npos || !part.empty());
    if (!isFit || !isDigits(whole) || !isDigits(part)) {
        return std::nullopt;
    }
    MicroDollars out = 0;
    for (const char c : whole) {
        out = out * 10 + static_cast<MicroDollars>(c - '0');
    }
    for (std::size_t i = 0; i < kPlaces; ++i) {
        out = out * 10 + (i < part.size() ? static_cast<MicroDollars>(part[i] - '0') : 0);
    }
    return out <= kMostMoney ? std::optional(out) : std::nullopt;
}

std::string moneyText(MicroDollars amount) {
    auto part = std::to_string(amount % kDollar);
    part.insert(0, kPlaces - part.size(), '0');
    while (part.size() > 2 && part.back() == '0') {
        part.pop_back();
    }
    return "$" + std::to_string(amount / kDollar) + "." + part;
}

} // namespace carrel::providers
