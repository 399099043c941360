// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/placeholder.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace carrel::egress {
namespace {

using Letters = PlaceholderShape::Letters;

// The longer one of two that begin alike comes first. AKIA and the like: what is signed with has no place in a header field.
constexpr std::array<std::string_view, 8> kPrefixes{"sk-ant-", "sk-", "ghp_", "gho_", "github_pat_", "npm_", "glpat-", "xoxb-"};
constexpr std::array<std::size_t, 6> kLengths{20, 32, 40, 64, 128, kMaxPlaceholder};

std::string_view lettersOf(Letters letters) {
    constexpr std::string_view kAll = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    return kAll.substr(0, letters == Letters::Hex ? 16 : letters == Letters::Alphanumeric ? 62 : 64);
}

} // namespace

std::string_view toString(Letters letters) {
    return letters == Letters::Hex ? "hex" : letters == Letters::Alphanumeric ? "alphanumeric" : "url-safe";
}

PlaceholderShape shapeOf(const Secret& value) {
    PlaceholderShape out;
    auto rest = value.reveal();
    for (const auto prefix : kPrefixes) {
        if (rest.starts_with(prefix)) {
            out.prefix = prefix;
            rest.remove_prefix(prefix.size());
            break;
        }
    }
    const auto all = [&](Letters letters) { return rest.find_first_not_of(lettersOf(letters)) == std::string_view::npos; };
    out.letters = all(Letters::Hex) ? Letters::Hex : all(Letters::Alphanumeric) ? Letters::Alphanumeric : Letters::UrlSafe;
    const auto least = out.prefix.size() + kMinPlaceholderRandom;
    const auto length = out.prefix.empty() ? *std::find_if(kLengths.begin(), std::prev(kLengths.end()),
                                                           [&](std::size_t each) { return each >= value.size(); })
                                           : value.size();
    out.length = std::clamp(length, least, kMaxPlaceholder);
    return out;
}

Result<std::string> newPlaceholder(const PlaceholderShape& shape) {
    const auto letters = lettersOf(shape.letters);
    std::string out = shape.prefix;
    while (out.size() < shape.length) {
        std::array<unsigned char, 64> bytes{};
        if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
            return fail(ErrorCode::Internal, "This computer gives no random numbers");
        }
        for (const auto byte : bytes) {
            const auto at = static_cast<std::size_t>(byte & 63U);
            if (at < letters.size() && out.size() < shape.length) { // else another one: each letter is as likely
                out += letters[at];
            }
        }
    }
    return out;
}

bool isShape(const PlaceholderShape& shape) {
    return (shape.prefix.empty() || std::find(kPrefixes.begin(), kPrefixes.end(), shape.prefix) != kPrefixes.end()) &&
           shape.length >= shape.prefix.size() + kMinPlaceholderRandom && shape.length <= kMaxPlaceholder;
}

} // namespace carrel::egress
