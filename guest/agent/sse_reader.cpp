// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/sse_reader.h"

namespace carrel::agent {

Result<std::vector<StreamEvent>> SseReader::feed(std::string_view piece) {
    std::vector<StreamEvent> out;
    while (!piece.empty() && !m_failed) {
        if (m_afterCr) {
            m_afterCr = false;
            if (piece.front() == '\n') {
                piece.remove_prefix(1);
                continue;
            }
        }
        const auto end = piece.find_first_of("\r\n");
        const auto text = piece.substr(0, end);
        if (text.size() > m_limits.line - m_line.size()) {
            m_failed = true;
            break;
        }
        m_line += text;
        if (end == std::string_view::npos) {
            return out;
        }
        m_afterCr = piece[end] == '\r';
        piece.remove_prefix(end + 1);
        takeLine(out);
    }
    if (m_failed) {
        return fail(ErrorCode::LimitExceeded,
                    "the stream of events holds a line of more than " + std::to_string(m_limits.line) +
                        " bytes, or an event of more than " + std::to_string(m_limits.event),
                    "a model's server sends no such thing: look at the address that is set for it");
    }
    return out;
}

void SseReader::takeLine(std::vector<StreamEvent>& out) {
    std::string_view line = m_line;
    if (m_firstLine) {
        m_firstLine = false;
        if (line.starts_with("\xef\xbb\xbf")) {
            line.remove_prefix(3);
        }
    }
    if (line.empty()) {
        if (m_hasData) {
            out.push_back({m_type.empty() ? "message" : std::move(m_type), std::move(m_data)});
        }
        m_type.clear();
        m_data.clear();
        m_hasData = false;
        m_line.clear();
        return;
    }
    const auto colon = line.find(':');
    const auto field = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    if (field == "event") { // of a comment it is empty
        m_type = value;
    } else if (field == "data") {
        if (value.size() + 1 > m_limits.event - m_data.size()) {
            m_failed = true;
        } else {
            if (m_hasData) {
                m_data += '\n';
            }
            m_data += value;
            m_hasData = true;
        }
    }
    m_line.clear();
}

} // namespace carrel::agent
