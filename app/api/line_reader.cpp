// SPDX-License-Identifier: Apache-2.0
#include "app/api/line_reader.h"

namespace carrel::api {

LineReader::LineReader(std::size_t maxLine)
    : m_maxLine(maxLine) {}

Result<std::optional<std::string>> LineReader::take(std::string_view& bytes) {
    const auto newline = bytes.find('\n');
    const auto piece = bytes.substr(0, newline);
    if (m_broken || m_line.size() + piece.size() > m_maxLine) {
        m_broken = true;
        m_line.clear();
        return fail(ErrorCode::LimitExceeded,
                    "a message is longer than the limit of " + std::to_string(m_maxLine) + " bytes");
    }
    m_line += piece;
    if (newline == std::string_view::npos) {
        bytes = {};
        return std::optional<std::string>();
    }
    bytes.remove_prefix(newline + 1);
    std::optional<std::string> line = std::move(m_line);
    m_line.clear();
    return line;
}

} // namespace carrel::api
