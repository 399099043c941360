// SPDX-License-Identifier: Apache-2.0
// Newline-delimited JSON: bytes in, lines out, never more than one line of a bounded length kept. Does no
// I/O. Thread: one owner.
#pragma once

#include "guest/protocol/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace carrel::api {

class LineReader {
public:
    explicit LineReader(std::size_t maxLine);
    // Takes as much of `bytes` as the next line needs and moves it past that; the line without its end where
    // it is complete. LimitExceeded once the line is too long: the stream cannot be read any further.
    [[nodiscard]] Result<std::optional<std::string>> take(std::string_view& bytes);
    [[nodiscard]] bool midLine() const { return !m_line.empty(); }

private:
    std::size_t m_maxLine;
    std::string m_line;
    bool m_broken = false;
};

} // namespace carrel::api
