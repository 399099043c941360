// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/output_tail.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::runner {

namespace {

constexpr std::size_t kLongestCharacter = 4;

bool isContinuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// Without the beginning of a character at its end, if there is one.
std::string_view withoutOpenCharacter(std::string_view text) {
    for (std::size_t back = 1; back < kLongestCharacter && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if (isContinuation(static_cast<char>(byte))) {
            continue;
        }
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return back < length ? text.substr(0, text.size() - back) : text;
    }
    return text;
}

} // namespace

void OutputTail::add(std::string_view bytes) {
    if (bytes.size() > m_most) {
        m_wasCut = true;
        bytes.remove_prefix(bytes.size() - m_most);
    }
    m_kept += bytes;
    if (m_kept.size() > 2 * m_most) {
        m_wasCut = true;
        m_kept.erase(0, m_kept.size() - m_most);
    }
}

std::string OutputTail::text() const {
    std::string_view left = m_kept;
    if (left.size() > m_most) {
        left.remove_prefix(left.size() - m_most);
    }
    if (wasCut()) {
        for (std::size_t i = 0; i < kLongestCharacter && !left.empty() && isContinuation(left.front()); ++i) {
            left.remove_prefix(1);
        }
    }
    left = withoutOpenCharacter(left);
    std::string out;
    out.reserve(left.size());
    while (!left.empty()) {
        const auto line = left.substr(0, std::min(left.find('\n'), left.size() - 1) + 1);
        out += plainText(line, line.size());
        left.remove_prefix(line.size());
    }
    return out;
}

} // namespace carrel::runner
