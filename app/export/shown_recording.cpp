// SPDX-License-Identifier: Apache-2.0
#include "app/export/shown_recording.h"

#include "app/api/terminal_wire.h"

#include <algorithm>
#include <charconv>

namespace carrel::exporting {

namespace {

constexpr std::uint64_t kMostUs = 4'000'000'000'000'000; // above a hundred years, and exact in a double

bool isSize(unsigned columns, unsigned rows) {
    return columns >= 1 && columns <= api::terminal::kMaxColumns && rows >= 1 && rows <= api::terminal::kMaxRows;
}

// "80x24"
bool isSizeText(std::string_view text) {
    unsigned columns = 0;
    unsigned rows = 0;
    const auto* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, columns);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x') {
        return false;
    }
    const auto second = std::from_chars(first.ptr + 1, end, rows);
    return second.ec == std::errc() && second.ptr == end && isSize(columns, rows);
}

Error malformed() {
    return {ErrorCode::Malformed, "a piece of the recording has a size that no terminal has", "\"carrel log verify\" tells whether it was changed.", 0, nullptr};
}

} // namespace

Result<ShownPiece> ShownRecording::next(const activity::RecordingChunk& chunk) {
    auto content = recording::readChunk(chunk.data, std::min(chunk.place.firstUs, kMostUs));
    if (!content) {
        return fail(std::move(content).error());
    }
    if (!isSize(content->columns, content->rows)) {
        return fail(malformed());
    }
    ShownPiece out;
    out.follows = chunk.place.number == m_number + 1;
    m_number = chunk.place.number;
    m_us = out.firstUs = std::clamp(chunk.place.firstUs, m_us, kMostUs);
    out.columns = content->columns;
    out.rows = content->rows;
    out.screen = api::TerminalFilter().feed(content->screen);
    if (!out.follows) {
        m_filter = {}; // what a sequence began with is missing
    }
    for (auto& event : content->events) {
        m_us = event.us = std::clamp(event.us, m_us, kMostUs);
        if (event.code == 'o') {
            event.text = m_filter.feed(event.text);
        } else if (event.code == 'r' && !isSizeText(event.text)) {
            return fail(malformed());
        }
        if (!event.text.empty()) {
            out.events.push_back(std::move(event));
        }
    }
    out.lastUs = m_us = std::clamp(chunk.place.lastUs, m_us, kMostUs);
    return out;
}

} // namespace carrel::exporting
