// SPDX-License-Identifier: Apache-2.0
#include "app/relay/base64.h"

#include <cstdint>

namespace carrel::relay {

namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

} // namespace

SecretText toBase64(std::string_view bytes, Alphabet alphabet) {
    const auto digits = alphabet == Alphabet::Standard ? kStandard : kUrl;
    SecretText out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out.push_back(i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63U] : '=');
        }
    }
    return out;
}

SecretText base64Core(std::string_view bytes, std::size_t offset, Alphabet alphabet) {
    SecretText shifted(offset, '\0');
    shifted.insert(shifted.end(), bytes.begin(), bytes.end());
    const auto all = toBase64(view(shifted), alphabet);
    const auto begin = (8 * offset + 5) / 6;
    const auto end = 8 * shifted.size() / 6;
    return {all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)};
}

std::optional<SecretText> fromBase64(std::string_view text) {
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    SecretText out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        auto digit = kStandard.find(c);
        digit = digit == std::string_view::npos ? kUrl.find(c) : digit;
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = bits << 6U | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 0xffU));
        }
    }
    return text.size() % 4 == 1 ? std::nullopt : std::optional(std::move(out));
}

} // namespace carrel::relay
