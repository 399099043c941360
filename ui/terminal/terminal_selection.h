// SPDX-License-Identifier: Apache-2.0
// What is selected in a terminal: from a spot to a spot, by characters, words or lines. Arithmetic only. Thread: value.
#pragma once

#include "ui/terminal/terminal_grid.h"

#include <compare>
#include <cstdint>
#include <utility>

namespace carrel::ui {

// Between two columns of a line, by its number in the grid.
struct TerminalSpot {
    std::int64_t line = 0;
    int column = 0;
    auto operator<=>(const TerminalSpot&) const = default;
};

class TerminalSelection {
public:
    enum class Unit { Character, Word, Line };

    void begin(TerminalSpot at, Unit unit, const TerminalGrid& grid);
    void extendTo(TerminalSpot at, const TerminalGrid& grid);
    void selectAll(const TerminalGrid& grid);
    void clear() { m_from = m_to = {}; }

    [[nodiscard]] bool isEmpty() const { return m_from == m_to; }
    [[nodiscard]] TerminalSpot from() const { return m_from; }
    [[nodiscard]] TerminalSpot to() const { return m_to; }
    // Columns [first, second) of a line; equal where there is nothing of it.
    [[nodiscard]] std::pair<int, int> columnsIn(std::int64_t line, const TerminalGrid& grid) const;
    // Lines are joined by line ends, also where a program only ran on into the next row: libvterm 0.1 does not tell of that. Blanks at
    // a line's end are left out. Only lines [first, end) are told of.
    [[nodiscard]] QString text(const TerminalGrid& grid, std::int64_t firstLine, std::int64_t endLine) const;
    [[nodiscard]] QString text(const TerminalGrid& grid) const { return text(grid, m_from.line, m_to.line + 1); }

private:
    using Range = std::pair<TerminalSpot, TerminalSpot>;
    [[nodiscard]] Range unitAt(TerminalSpot at, const TerminalGrid& grid) const;

    Unit m_unit = Unit::Character;
    Range m_anchor; // the unit where it began
    TerminalSpot m_from;
    TerminalSpot m_to;
};

} // namespace carrel::ui
