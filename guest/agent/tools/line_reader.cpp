// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/line_reader.h"

#include "guest/agent/tools/plain_file.h"

namespace carrel::agent {

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kJudged = 8 * 1024; // bytes at the beginning that say whether it is text, as git and grep do it

} // namespace

LineReader::LineReader(int file, std::size_t keptOfLine, std::uint64_t mostBytes)
    : m_file(file)
    , m_kept(keptOfLine)
    , m_most(mostBytes)
    , m_space(kPiece) {}

Result<bool> LineReader::fill() {
    if (m_read >= m_most) {
        m_usedUp = true;
        return false;
    }
    const auto piece = readPiece(m_file, m_space.data(), m_space.size());
    if (!piece) {
        return fail(piece.error());
    }
    m_rest = *piece;
    m_read += piece->size();
    m_sum.feed(*piece);
    return !piece->empty();
}

Result<bool> LineReader::isText() {
    if (m_read == 0) {
        if (auto filled = fill(); !filled) {
            return fail(filled.error());
        }
    }
    return m_rest.substr(0, kJudged).find('\0') == std::string_view::npos;
}

Result<std::optional<Line>> LineReader::next() {
    m_line.clear();
    std::uint64_t size = 0;
    for (bool begun = false;; begun = true) {
        if (m_rest.empty()) {
            const auto filled = fill();
            if (!filled) {
                return fail(filled.error());
            }
            if (!*filled) { // the last line may have no end; one that was cut off by the bound is none
                return begun && size > 0 && !m_usedUp ? std::optional(Line{m_line, size}) : std::nullopt;
            }
        }
        const auto end = m_rest.find('\n');
        const auto piece = m_rest.substr(0, end);
        size += piece.size();
        m_line += piece.substr(0, m_kept - m_line.size());
        m_rest.remove_prefix(end == std::string_view::npos ? m_rest.size() : end + 1);
        if (end != std::string_view::npos) {
            return std::optional(Line{m_line, size});
        }
    }
}

Result<ContentSum> LineReader::finishSum() {
    for (;;) {
        const auto filled = fill();
        if (!filled) {
            return fail(filled.error());
        }
        if (!*filled) {
            break;
        }
    }
    if (m_usedUp) {
        return fail(ErrorCode::LimitExceeded, "it is too long");
    }
    return m_sum;
}

} // namespace carrel::agent
