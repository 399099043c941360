// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_painter.h"

#include "ui/terminal/terminal_colours.h"
#include "ui/terminal/terminal_grid.h"

#include <QFontMetricsF>
#include <QGlyphRun>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace carrel::ui {

using namespace api::terminal;

// Glyphs of one font and colour that wait to be drawn together.
struct TerminalPainter::Run {
    std::size_t variant = kPlain;
    QColor colour;
    QVector<quint32> glyphs;
    QVector<QPointF> positions;
};

void TerminalPainter::setFont(const QFont& font) {
    for (std::size_t variant = 0; variant < kVariants; ++variant) {
        QFont each = font;
        each.setStyleHint(QFont::Monospace, QFont::PreferDefault);
        each.setKerning(false);
        each.setBold(variant == kBoldFont || variant == kBothFont);
        each.setItalic(variant == kItalicFont || variant == kBothFont);
        m_fonts[variant] = each;
        m_raw[variant] = QRawFont::fromFont(each);
        m_glyphs[variant].clear();
    }
    const QFontMetricsF metrics(m_fonts[kPlain]);
    m_cellWidth = std::max(1, static_cast<int>(std::ceil(metrics.horizontalAdvance('0') - 0.25))); // a hair wider is not a pixel more
    m_ascent = static_cast<int>(std::ceil(metrics.ascent()));
    m_cellHeight = std::max(1, m_ascent + static_cast<int>(std::ceil(metrics.descent())));
}

quint32 TerminalPainter::glyphOf(std::size_t variant, char32_t point) {
    auto& known = m_glyphs[variant];
    const auto found = known.constFind(point);
    if (found != known.constEnd()) {
        return *found;
    }
    const auto glyphs = m_raw[variant].glyphIndexesForString(QString::fromUcs4(&point, 1));
    const quint32 glyph = m_raw[variant].isValid() && glyphs.size() == 1 ? glyphs[0] : 0;
    constexpr qsizetype kMany = 20'000; // a guest chooses the characters
    if (known.size() >= kMany) {
        known.clear();
    }
    return known[point] = glyph;
}

void TerminalPainter::flush(QPainter& painter, Run& run) {
    if (!run.glyphs.isEmpty()) {
        QGlyphRun glyphs;
        glyphs.setRawFont(m_raw[run.variant]);
        glyphs.setGlyphIndexes(run.glyphs);
        glyphs.setPositions(run.positions);
        painter.setPen(run.colour);
        painter.drawGlyphRun({}, glyphs);
        run.glyphs.clear();
        run.positions.clear();
    }
}

void TerminalPainter::addText(QPainter& painter, Run& run, int x, int y, const Cell& cell, const QColor& text) {
    if (cell.count == 0) {
        return;
    }
    const QRect box(x, y, m_cellWidth * cell.columns, m_cellHeight);
    if (cell.count == 1 && paintShape(painter, box, cell.points[0], text)) {
        return;
    }
    const std::size_t variant =
        ((cell.style.attributes & kBold) != 0 ? kBoldFont : kPlain) + ((cell.style.attributes & kItalic) != 0 ? std::size_t{kItalicFont} : 0);
    const quint32 glyph = cell.count == 1 && cell.columns == 1 ? glyphOf(variant, cell.points[0]) : 0;
    if (glyph == 0) { // another font's, or with marks
        painter.setFont(m_fonts[variant]);
        painter.setPen(text);
        const auto characters = textOf(cell);
        const int width = painter.fontMetrics().horizontalAdvance(characters);
        painter.save();
        if (width > box.width()) { // a glyph that is wider than its cells is made narrower, so that it covers none of its neighbours
            painter.translate(x, 0);
            painter.scale(static_cast<double>(box.width()) / width, 1);
            painter.drawText(0, y + m_ascent, characters);
        } else {
            painter.drawText(x + (box.width() - width) / 2, y + m_ascent, characters);
        }
        painter.restore();
        return;
    }
    if (run.variant != variant || run.colour != text) {
        flush(painter, run);
        run.variant = variant;
        run.colour = text;
    }
    run.glyphs.push_back(glyph);
    run.positions.push_back(QPointF(x, y + m_ascent));
}

void TerminalPainter::paintLines(QPainter& painter, int x, int y, const Cell& cell, const QColor& text) const {
    const int width = m_cellWidth * cell.columns;
    const int thick = std::max(1, m_cellHeight / 16);
    if ((cell.style.attributes & kUnderline) != 0) {
        painter.fillRect(x, std::min(y + m_ascent + thick, y + m_cellHeight - thick), width, thick, text);
    }
    if ((cell.style.attributes & kStrike) != 0) {
        painter.fillRect(x, y + m_ascent - m_ascent / 3, width, thick, text);
    }
}

void TerminalPainter::paintLine(QPainter& painter, int y, const Line& line, std::pair<int, int> selected, const QPalette& palette,
                                bool active) {
    const auto group = active ? QPalette::Active : QPalette::Inactive;
    const auto chosen = [&](int column) { return column >= selected.first && column < selected.second; };
    int column = 0;
    for (const Cell& cell : line) { // grounds first: a character may reach beyond its cell
        const auto colours = coloursOf(cell.style, palette);
        if (!colours.plainGround && !chosen(column)) {
            painter.fillRect(column * m_cellWidth, y, cell.columns * m_cellWidth, m_cellHeight, colours.ground);
        }
        column += cell.columns;
    }
    if (selected.second > selected.first) {
        painter.fillRect(selected.first * m_cellWidth, y, (selected.second - selected.first) * m_cellWidth, m_cellHeight,
                         palette.color(group, QPalette::Highlight));
    }
    Run run;
    column = 0;
    for (const Cell& cell : line) {
        const auto text = chosen(column) ? palette.color(group, QPalette::HighlightedText) : coloursOf(cell.style, palette).text;
        addText(painter, run, column * m_cellWidth, y, cell, text);
        paintLines(painter, column * m_cellWidth, y, cell, text);
        column += cell.columns;
    }
    flush(painter, run);
}

void TerminalPainter::paintCell(QPainter& painter, int x, int y, const Cell& cell, const QColor& text, const QColor& ground) {
    painter.fillRect(x, y, cell.columns * m_cellWidth, m_cellHeight, ground);
    Run run;
    addText(painter, run, x, y, cell, text);
    flush(painter, run);
    paintLines(painter, x, y, cell, text);
}

} // namespace carrel::ui
