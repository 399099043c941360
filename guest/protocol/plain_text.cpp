// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/plain_text.h"

#include "guest/protocol/share_path.h"

#include <algorithm>

namespace carrel {

std::string_view cutBetweenCharacters(std::string_view text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
        --end;
    }
    return text.substr(0, end);
}

std::string plainText(std::string_view text, std::size_t most) {
    std::string out(cutBetweenCharacters(text, most));
    if (!isUtf8(out)) {
        std::replace_if(
            out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    }
    return out;
}

} // namespace carrel
