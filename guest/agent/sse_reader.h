// SPDX-License-Identifier: Apache-2.0
// Server-sent events, as the HTML standard says (section 9.2.5, "Parsing an event stream", and 9.2.6): lines end with LF, CR or both,
// one byte order mark at the start is no text, lines that begin with a colon are comments, data lines are joined by a line feed, and
// what has no blank line after it at the end of the stream is no event. The fields id and retry are for those who connect again by
// themselves; nobody does here, so they are passed over, as unknown fields are. Bytes that are no UTF-8 are left to whoever reads the
// data. Thread: one at a time; no input or output of its own.
#pragma once

#include "guest/protocol/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace carrel::agent {

struct StreamEvent {
    std::string type; // "message" where the stream names none
    std::string data;
};

struct SseLimits {
    std::size_t line = 4 * 1024 * 1024;  // one line: a model's whole tool input may be one
    std::size_t event = 8 * 1024 * 1024; // the data of one event
};

class SseReader {
public:
    explicit SseReader(SseLimits limits = {})
        : m_limits(limits) {}

    // The events that this piece of the stream completes, in their order. LimitExceeded, and from then on always: a line or an event
    // passed its bound, which is checked before it is kept.
    [[nodiscard]] Result<std::vector<StreamEvent>> feed(std::string_view piece);
    // Something was begun that no blank line has ended yet.
    [[nodiscard]] bool isWithinEvent() const { return !m_line.empty() || m_hasData; }

private:
    void takeLine(std::vector<StreamEvent>& out);

    SseLimits m_limits;
    std::string m_line;
    std::string m_type;
    std::string m_data;
    bool m_hasData = false;
    bool m_afterCr = false;  // a line feed that comes next belongs to the line before
    bool m_firstLine = true; // where a byte order mark may be
    bool m_failed = false;
};

} // namespace carrel::agent
