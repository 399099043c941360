// SPDX-License-Identifier: Apache-2.0
// What a machine gets in place of a credential's value: random, and of the shape that programs look for before they send it. It opens
// nothing anywhere; the clerk finds it in a request, and the value goes there in its place.
//
// The shape tells little of the value: the prefix that all keys of its kind have, and of any other its kind of letters and its length
// rounded up. Only where the prefix says which kind it is the length is the very same, since it is that of the kind.
// Thread: pure functions.
#pragma once

#include "app/egress/credentials/secret.h"

#include <string>

namespace carrel::egress {

// The clerk looks for none that is shorter, and fewer random letters could be guessed.
inline constexpr std::size_t kMinPlaceholderRandom = 16;
inline constexpr std::size_t kMaxPlaceholder = 256;

struct PlaceholderShape {
    enum class Letters { Hex, Alphanumeric, UrlSafe }; // lower-case hexadecimal digits; RFC 4648, section 5, without "="
    std::string prefix;
    std::size_t length = 40; // with the prefix
    Letters letters = Letters::UrlSafe;
    friend bool operator==(const PlaceholderShape&, const PlaceholderShape&) = default;
};
[[nodiscard]] std::string_view toString(PlaceholderShape::Letters letters);

[[nodiscard]] PlaceholderShape shapeOf(const Secret& value);
[[nodiscard]] Result<std::string> newPlaceholder(const PlaceholderShape& shape);
// One of the shapes that shapeOf() gives; of a file that somebody may have changed.
[[nodiscard]] bool isShape(const PlaceholderShape& shape);

} // namespace carrel::egress
