// SPDX-License-Identifier: Apache-2.0
// A terminal's bytes become pieces of a recording (chunk.h). Output goes through the allow-list of sequences (app/api/terminal_filter.h)
// first, so that no reader of a recording is given anything else, then stored credentials are masked, and a screen is kept by
// it for the beginning of each piece. What was typed is recorded as far as the terminal showed it (echoed_input.h).
// Does no I/O and keeps no clock; runs only in a confined process. Thread: one owner.
#pragma once

#include "app/api/terminal_filter.h"
#include "app/recording/chunk.h"
#include "app/recording/echoed_input.h"
#include "app/recording/secret_marks.h"
#include "app/terminal/screen.h"

#include <optional>

namespace carrel::recording {

struct WrittenChunk {
    std::uint64_t firstUs = 0;
    std::uint64_t lastUs = 0;
    std::uint64_t rawBytes = 0;
    std::string data; // compressed
};

class CastWriter {
public:
    static constexpr std::uint64_t kChunkUs = 10'000'000; // a piece is handed on by then, so that little is lost

    CastWriter(std::uint16_t columns, std::uint16_t rows, SecretMarks marks);

    // Moments in microseconds since the beginning; they never go back.
    void output(std::uint64_t us, std::string_view bytes);
    void input(std::uint64_t us, std::string_view bytes);
    void resize(std::uint64_t us, std::uint16_t columns, std::uint16_t rows);

    // When a piece that was begun is to be handed on; nothing: there is none.
    [[nodiscard]] std::optional<std::uint64_t> dueUs() const;
    [[nodiscard]] bool full() const { return m_raw.size() >= kChunkRaw; }
    // The piece so far; the next begins with what comes next. Nothing: there is nothing in it.
    [[nodiscard]] std::optional<WrittenChunk> take();
    void finish(); // what was held back; then take()

private:
    void add(std::uint64_t us, char code, std::string text);
    void addOutput(const std::vector<Piece>& pieces);

    std::uint16_t m_columns, m_rows;
    SecretMarks m_marks;
    api::TerminalFilter m_filter;
    SecretMask m_mask;
    EchoedInput m_echo;
    terminal::Screen m_screen;
    std::string m_tail; // an unfinished character
    std::string m_raw;  // the piece under way
    std::uint64_t m_firstUs = 0, m_lastUs = 0;
};

} // namespace carrel::recording
