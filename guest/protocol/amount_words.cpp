// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/amount_words.h"

#include <algorithm>

namespace carrel {

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

std::string countWords(std::uint64_t count) {
    auto out = std::to_string(count);
    for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3) {
        out.insert(static_cast<std::size_t>(at), ",");
    }
    return out;
}

std::string timeWords(std::chrono::seconds time) {
    const auto all = static_cast<std::uint64_t>(std::max<std::chrono::seconds::rep>(time.count(), 0));
    const auto hours = all / 3600, minutes = all / 60 % 60, seconds = all % 60;
    std::string out;
    for (const auto& [number, unit] : {std::pair(hours, " h"), std::pair(minutes, " min"), std::pair(seconds, " s")}) {
        if (number != 0 || (out.empty() && *(unit + 1) == 's')) {
            out += (out.empty() ? "" : " ") + std::to_string(number) + unit;
        }
    }
    return out;
}

} // namespace carrel
