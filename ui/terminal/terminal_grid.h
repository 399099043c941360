// SPDX-License-Identifier: Apache-2.0
// What a terminal shows and what left it at its top, without a window: lines have numbers that stay theirs, however far they have
// moved up. What is kept is bounded in lines and in bytes; the oldest go first. Thread: one owner.
#pragma once

#include "app/api/terminal_wire.h"

#include <QString>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace carrel::ui {

class TerminalGrid {
public:
    static constexpr std::size_t kMaxLines = 10'000;              // above the screen
    static constexpr std::size_t kMaxBytes = std::size_t{32} << 20U; // of them, as they were sent

    struct Change {
        std::int64_t scrolled = 0; // so many lines left the screen
        std::int64_t dropped = 0;  // and so many of the oldest went
        bool resized = false;
    };
    Change apply(api::terminal::Frame&& frame);
    void clear();

    [[nodiscard]] const api::terminal::ScreenState& screen() const { return m_screen; }
    [[nodiscard]] std::int64_t firstLine() const { return m_first; }
    [[nodiscard]] std::int64_t screenTop() const { return m_first + static_cast<std::int64_t>(m_kept.size()); }
    [[nodiscard]] std::int64_t endLine() const { return screenTop() + static_cast<std::int64_t>(m_rows.size()); }
    // Empty where there is none of that number.
    [[nodiscard]] api::terminal::Line line(std::int64_t number) const;

private:
    api::terminal::ScreenState m_screen;
    std::vector<api::terminal::Line> m_rows;
    std::deque<std::string> m_kept; // encoded, as decodeLine() takes them
    std::size_t m_keptBytes = 0;
    std::int64_t m_first = 0;
};

// The text of the cells that lie in columns [from, to), at least in part. Blanks are spaces.
[[nodiscard]] QString textOf(const api::terminal::Line& line, int from, int to);
[[nodiscard]] QString textOf(const api::terminal::Cell& cell);
[[nodiscard]] int columnsOf(const api::terminal::Line& line);

} // namespace carrel::ui
