// SPDX-License-Identifier: Apache-2.0
// Paints lines of cells: every character where its cell is, whatever the font says of its width. Characters of the terminal's own
// font go out as runs of glyphs; others, of another font or with marks, one by one. Frames and blocks (U+2500 to U+259F) that a
// program draws its windows with are painted as shapes where the font's would leave gaps. Thread: the window's.
#pragma once

#include "app/api/terminal_wire.h"

#include <QFont>
#include <QHash>
#include <QPalette>
#include <QRawFont>

#include <array>
#include <utility>

class QPainter;

namespace carrel::ui {

class TerminalPainter {
public:
    void setFont(const QFont& font);
    [[nodiscard]] const QFont& font() const { return m_fonts[0]; }
    [[nodiscard]] int cellWidth() const { return m_cellWidth; }
    [[nodiscard]] int cellHeight() const { return m_cellHeight; }
    [[nodiscard]] int ascent() const { return m_ascent; }

    // `selected`: columns [first, second).
    void paintLine(QPainter& painter, int y, const api::terminal::Line& line, std::pair<int, int> selected, const QPalette& palette,
                   bool active);
    // A cell in given colours, as beneath a cursor.
    void paintCell(QPainter& painter, int x, int y, const api::terminal::Cell& cell, const QColor& text, const QColor& ground);

private:
    enum Variant : std::size_t { kPlain, kBoldFont, kItalicFont, kBothFont, kVariants };
    struct Run;

    void flush(QPainter& painter, Run& run);
    void addText(QPainter& painter, Run& run, int x, int y, const api::terminal::Cell& cell, const QColor& text);
    void paintLines(QPainter& painter, int x, int y, const api::terminal::Cell& cell, const QColor& text) const;
    [[nodiscard]] quint32 glyphOf(std::size_t variant, char32_t point);

    std::array<QFont, kVariants> m_fonts;
    std::array<QRawFont, kVariants> m_raw;
    std::array<QHash<char32_t, quint32>, kVariants> m_glyphs; // 0: the font has none
    int m_cellWidth = 8;
    int m_cellHeight = 16;
    int m_ascent = 12;
};

// Paints a block element (U+2580 to U+259F), or a line or corner of a frame (of U+2500 to U+257F, without dashes and diagonals) into
// `cell`; false: it is none of these.
[[nodiscard]] bool paintShape(QPainter& painter, const QRect& cell, char32_t point, const QColor& colour);

} // namespace carrel::ui
