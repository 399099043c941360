// SPDX-License-Identifier: Apache-2.0
#include "app/recording/cast_writer.h"

#include "app/api/terminal_wire.h"
#include "guest/protocol/share_path.h"

#include <algorithm>

namespace carrel::recording {

using namespace api::terminal;

namespace {

std::uint16_t within(std::uint16_t value, std::uint16_t least, std::uint16_t most) {
    return std::clamp(value, least, most);
}

// How many bytes at the end are the beginning of a character.
std::size_t unfinished(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<std::uint8_t>(text[text.size() - back]);
        if ((byte & 0xc0U) == 0x80U) {
            continue;
        }
        const std::size_t needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return needs > back ? back : 0;
    }
    return 0;
}

// A secret of several bytes a character was masked byte by byte at worst in the middle of another's.
std::string valid(std::string text) {
    if (!isUtf8(text)) {
        for (char& byte : text) {
            if (static_cast<std::uint8_t>(byte) >= 0x80) {
                byte = '*';
            }
        }
    }
    return text;
}

} // namespace

CastWriter::CastWriter(std::uint16_t columns, std::uint16_t rows, SecretMarks marks)
    : m_columns(within(columns, kMinColumns, kMaxColumns))
    , m_rows(within(rows, kMinRows, kMaxRows))
    , m_marks(marks)
    , m_mask(std::move(marks))
    , m_screen(m_rows, m_columns) {}

void CastWriter::add(std::uint64_t us, char code, std::string text) {
    us = std::max(us, m_lastUs);
    if (m_raw.empty()) {
        m_firstUs = m_lastUs = us;
        m_raw = chunkHead(m_columns, m_rows, m_screen.redraw());
    }
    m_raw += castLine({us, code, text}, m_lastUs);
    m_lastUs = us;
    if (code == 'o') {
        for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(std::min(rest.size(), terminal::Screen::kSlice))) {
            m_screen.feed(rest.substr(0, terminal::Screen::kSlice));
        }
    }
}

void CastWriter::addOutput(const std::vector<Piece>& pieces) {
    for (const auto& piece : pieces) {
        auto text = std::exchange(m_tail, {}) + piece.bytes;
        const auto later = unfinished(text);
        m_tail = text.substr(text.size() - later);
        text.erase(text.size() - later);
        if (!text.empty()) {
            add(piece.us, 'o', valid(std::move(text)));
        }
    }
}

void CastWriter::output(std::uint64_t us, std::string_view bytes) {
    addOutput(m_mask.feed(us, m_filter.feed(bytes)));
    if (const auto lines = m_echo.shown(bytes); !lines.empty()) {
        SecretMask mask(m_marks); // whole lines: there is none that a credential goes beyond
        std::string clean;
        for (const auto& piece : mask.feed(us, lines)) {
            clean += piece.bytes;
        }
        for (const auto& piece : mask.finish()) {
            clean += piece.bytes;
        }
        add(us, 'i', valid(std::move(clean)));
    }
}

void CastWriter::input(std::uint64_t, std::string_view bytes) {
    m_echo.typed(bytes);
}

void CastWriter::resize(std::uint64_t us, std::uint16_t columns, std::uint16_t rows) {
    columns = within(columns, kMinColumns, kMaxColumns);
    rows = within(rows, kMinRows, kMaxRows);
    if (columns == m_columns && rows == m_rows) {
        return;
    }
    add(us, 'r', std::to_string(columns) + 'x' + std::to_string(rows));
    m_columns = columns;
    m_rows = rows;
    m_screen.resize(rows, columns);
}

std::optional<std::uint64_t> CastWriter::dueUs() const {
    return m_raw.empty() ? std::nullopt : std::optional(m_firstUs + kChunkUs);
}

std::optional<WrittenChunk> CastWriter::take() {
    if (m_raw.empty()) {
        return std::nullopt;
    }
    auto data = compress(m_raw);
    WrittenChunk out{m_firstUs, m_lastUs, m_raw.size(), data ? std::move(*data) : std::string()};
    m_raw.clear();
    return data ? std::optional(std::move(out)) : std::nullopt;
}

void CastWriter::finish() {
    addOutput(m_mask.finish());
}

} // namespace carrel::recording
