// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_grid.h"

#include <algorithm>

namespace carrel::ui {

using namespace api::terminal;

TerminalGrid::Change TerminalGrid::apply(Frame&& frame) {
    Change change;
    change.resized = frame.screen.rows != m_screen.rows || frame.screen.columns != m_screen.columns;
    change.scrolled = static_cast<std::int64_t>(frame.scrolled.size());
    m_screen = frame.screen;
    m_rows.resize(m_screen.rows);
    for (auto& line : frame.scrolled) {
        m_keptBytes += line.size();
        m_kept.push_back(std::move(line));
    }
    while (m_kept.size() > kMaxLines || m_keptBytes > kMaxBytes) {
        m_keptBytes -= m_kept.front().size();
        m_kept.pop_front();
        ++m_first;
        ++change.dropped;
    }
    for (auto& [row, line] : frame.rows) {
        m_rows[row] = std::move(line);
    }
    return change;
}

void TerminalGrid::clear() {
    *this = TerminalGrid();
}

Line TerminalGrid::line(std::int64_t number) const {
    if (number < m_first || number >= endLine()) {
        return {};
    }
    const auto at = static_cast<std::size_t>(number - m_first);
    if (at >= m_kept.size()) {
        return m_rows[at - m_kept.size()];
    }
    return decodeLine(m_kept[at]).value_or(Line()); // it was decoded when it came
}

QString textOf(const Cell& cell) {
    QString out;
    for (std::size_t i = 0; i < cell.count; ++i) {
        out += QString::fromUcs4(reinterpret_cast<const char32_t*>(&cell.points[i]), 1);
    }
    return out.isEmpty() ? QString(cell.columns, ' ') : out;
}

QString textOf(const Line& line, int from, int to) {
    QString out;
    int column = 0;
    for (const Cell& cell : line) {
        const int end = column + cell.columns;
        if (end > from && column < to) {
            out += textOf(cell);
        }
        column = end;
    }
    const int blank = to - std::max(column, from);
    return blank > 0 ? out + QString(blank, ' ') : out;
}

int columnsOf(const Line& line) {
    int out = 0;
    for (const Cell& cell : line) {
        out += cell.columns;
    }
    return out;
}

} // namespace carrel::ui
