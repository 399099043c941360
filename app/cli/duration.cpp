// SPDX-License-Identifier: Apache-2.0
#include "app/cli/duration.h"

#include <charconv>

namespace carrel::cli {

namespace {

std::optional<std::chrono::seconds> unitFrom(char unit) {
    switch (unit) {
    case 's':
        return std::chrono::seconds(1);
    case 'm':
        return std::chrono::minutes(1);
    case 'h':
        return std::chrono::hours(1);
    case 'd':
        return std::chrono::hours(24);
    default:
        return std::nullopt;
    }
}

} // namespace

std::optional<std::chrono::seconds> durationFrom(std::string_view text) {
    if (text.size() < 2 || text.size() > 8) {
        return std::nullopt;
    }
    const auto unit = unitFrom(text.back());
    std::int64_t count = 0;
    const auto* end = text.data() + text.size() - 1;
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (!unit || error != std::errc() || stop != end || count < 0) {
        return std::nullopt;
    }
    return count * *unit;
}

} // namespace carrel::cli
