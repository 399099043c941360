// SPDX-License-Identifier: Apache-2.0
#include "app/recording/echoed_input.h"

#include <cstdint>
#include <utility>

namespace carrel::recording {

void EchoedInput::take(char byte) {
    if (byte == '\r' || byte == '\n') {
        m_entered = true;
    } else if (static_cast<std::uint8_t>(byte) < 0x20 || byte == 0x7f || m_line.size() >= kMaxLine) {
        m_doubtful = true;
    } else {
        m_line += byte;
    }
}

void EchoedInput::typed(std::string_view bytes) {
    for (const char byte : bytes) {
        if (!m_entered) {
            take(byte);
        } else if (m_ahead.size() < kMaxLine) {
            m_ahead += byte;
        } else { // so much that nobody could say what belongs to what
            m_ahead.clear();
            m_doubtful = true;
        }
    }
}

std::string EchoedInput::shown(std::string_view bytes) {
    std::string out;
    for (const char byte : bytes) {
        if (m_line.empty() && !m_entered) {
            continue;
        }
        if (byte == '\n') {
            if (!m_entered) {
                m_doubtful = true; // something else is written meanwhile
                continue;
            }
            if (!m_doubtful && m_matched == m_line.size()) {
                out += std::exchange(m_line, {});
                out += '\r';
            }
            m_line.clear();
            m_matched = 0;
            m_entered = false;
            // What was typed ahead was shown before this, or not at all: the next line can no longer be told apart.
            m_doubtful = !m_ahead.empty();
            for (const char next : std::exchange(m_ahead, {})) {
                take(next);
                if (m_entered) { // several lines ahead: none is kept, and the next newline ends them
                    m_line.clear();
                }
            }
        } else if (byte != '\r') {
            if (m_matched < m_line.size() && byte == m_line[m_matched]) {
                ++m_matched;
            } else {
                m_doubtful = true;
            }
        }
    }
    return out;
}

} // namespace carrel::recording
