// SPDX-License-Identifier: Apache-2.0
#include "app/relay/http_words.h"

#include <algorithm>

namespace carrel::relay {

char lowerOf(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isSameWord(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lowerOf(x) == lowerOf(y); });
}

bool isToken(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (lowerOf(c) >= 'a' && lowerOf(c) <= 'z') || kMarks.find(c) != std::string_view::npos;
    });
}

bool isFieldValue(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<unsigned> hexDigit(char c) {
    const char l = lowerOf(c);
    if (l >= '0' && l <= '9') {
        return static_cast<unsigned>(l - '0');
    }
    return l >= 'a' && l <= 'f' ? std::optional(static_cast<unsigned>(l - 'a') + 10) : std::nullopt;
}

std::optional<std::uint64_t> numberFrom(std::string_view text, unsigned base, std::size_t most) {
    if (text.empty() || text.size() > most) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        const auto digit = hexDigit(c);
        if (!digit || *digit >= base) {
            return std::nullopt;
        }
        value = value * base + *digit;
    }
    return value;
}

} // namespace carrel::relay
