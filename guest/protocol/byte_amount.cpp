// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/byte_amount.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace carrel {

namespace {

struct Unit {
    std::uint64_t bytes;
    std::string_view name;
};
constexpr std::array kUnits{Unit{1ULL << 50U, "PiB"}, Unit{1ULL << 40U, "TiB"}, Unit{1'000'000'000'000, "TB"},
                            Unit{1ULL << 30U, "GiB"}, Unit{1'000'000'000, "GB"}, Unit{1ULL << 20U, "MiB"},
                            Unit{1'000'000, "MB"},    Unit{1ULL << 10U, "KiB"}, Unit{1'000, "kB"}};
constexpr std::size_t kMaxDigits = 7;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isSame(std::string_view one, std::string_view other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char a, char b) { return lower(a) == lower(b); });
}

} // namespace

std::string amountText(std::uint64_t bytes) {
    for (const auto& unit : kUnits) {
        if (bytes != 0 && bytes % unit.bytes == 0) {
            return std::to_string(bytes / unit.bytes) + " " + std::string(unit.name);
        }
    }
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::optional<std::uint64_t> amountFrom(std::string_view text) {
    std::uint64_t count = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const auto digits = static_cast<std::size_t>(stop - text.data());
    if (error != std::errc() || digits > kMaxDigits) {
        return std::nullopt;
    }
    auto unit = text.substr(digits);
    unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
    std::uint64_t each = 1;
    if (!unit.empty() && !isSame(unit, "B") && !isSame(unit, "byte") && !isSame(unit, "bytes")) {
        const auto* const found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& one) { return isSame(one.name, unit); });
        if (found == kUnits.end()) {
            return std::nullopt;
        }
        each = found->bytes;
    }
    return count <= kMostAmount / each ? std::optional(count * each) : std::nullopt;
}

} // namespace carrel
