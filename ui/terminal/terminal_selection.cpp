// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_selection.h"

#include <algorithm>
#include <tuple>

namespace carrel::ui {

using namespace api::terminal;

namespace {

enum class Class { Blank, Word, Other };

// What a double click takes together: names, paths, addresses.
Class classOf(const Cell& cell) {
    if (cell.count == 0) {
        return Class::Blank;
    }
    const auto point = static_cast<char32_t>(cell.points[0]);
    if (QChar::isLetterOrNumber(point) || (point < 0x80 && QStringLiteral("-_./~:@%+#?&=,").contains(QChar(point)))) {
        return Class::Word;
    }
    return Class::Other;
}

// One class for each column; a wide cell has it twice.
std::vector<Class> classesOf(const Line& line) {
    std::vector<Class> out;
    for (const Cell& cell : line) {
        out.insert(out.end(), cell.columns, classOf(cell));
    }
    return out;
}

} // namespace

TerminalSelection::Range TerminalSelection::unitAt(TerminalSpot at, const TerminalGrid& grid) const {
    const int columns = grid.screen().columns;
    if (m_unit == Unit::Line) {
        return {{at.line, 0}, {at.line, columns}};
    }
    if (m_unit == Unit::Character) {
        return {at, at};
    }
    auto classes = classesOf(grid.line(at.line));
    classes.resize(static_cast<std::size_t>(std::max<int>(columns, static_cast<int>(classes.size()))), Class::Blank);
    const int end = static_cast<int>(classes.size());
    int from = std::clamp(at.column, 0, std::max(end - 1, 0));
    if (end == 0) {
        return {at, at};
    }
    const auto kind = classes[static_cast<std::size_t>(from)];
    int to = from;
    while (from > 0 && classes[static_cast<std::size_t>(from - 1)] == kind) {
        --from;
    }
    while (to < end && classes[static_cast<std::size_t>(to)] == kind) {
        ++to;
    }
    return {{at.line, from}, {at.line, to}};
}

void TerminalSelection::begin(TerminalSpot at, Unit unit, const TerminalGrid& grid) {
    m_unit = unit;
    m_anchor = unitAt(at, grid);
    std::tie(m_from, m_to) = m_anchor;
}

void TerminalSelection::extendTo(TerminalSpot at, const TerminalGrid& grid) {
    const auto [from, to] = unitAt(at, grid);
    m_from = std::min(m_anchor.first, from);
    m_to = std::max(m_anchor.second, to);
}

void TerminalSelection::selectAll(const TerminalGrid& grid) {
    m_unit = Unit::Character;
    m_from = {grid.firstLine(), 0};
    m_to = {std::max(grid.endLine() - 1, grid.firstLine()), grid.screen().columns};
    m_anchor = {m_from, m_from};
}

std::pair<int, int> TerminalSelection::columnsIn(std::int64_t line, const TerminalGrid& grid) const {
    if (isEmpty() || line < m_from.line || line > m_to.line) {
        return {0, 0};
    }
    const int first = line == m_from.line ? m_from.column : 0;
    const int end = line == m_to.line ? m_to.column : std::max<int>(grid.screen().columns, columnsOf(grid.line(line)));
    return {first, std::max(first, end)};
}

QString TerminalSelection::text(const TerminalGrid& grid, std::int64_t firstLine, std::int64_t endLine) const {
    QString out;
    if (isEmpty()) {
        return out;
    }
    const auto first = std::max({m_from.line, firstLine, grid.firstLine()});
    const auto end = std::min({m_to.line + 1, endLine, grid.endLine()});
    for (auto number = first; number < end; ++number) {
        const auto [from, to] = columnsIn(number, grid);
        auto piece = textOf(grid.line(number), from, to);
        while (piece.endsWith(' ')) {
            piece.chop(1);
        }
        out += (number == first ? QString() : QStringLiteral("\n")) + piece;
    }
    return out;
}

} // namespace carrel::ui
