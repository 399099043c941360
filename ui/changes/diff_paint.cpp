// SPDX-License-Identifier: Apache-2.0
// How DiffView paints.
#include "ui/changes/diff_view.h"

#include "ui/changes/shown_line.h"
#include "ui/changes/word_marks.h"
#include "ui/parts/tones.h"

#include <QPainter>
#include <QPaintEvent>
#include <QRegularExpression>
#include <QScrollBar>

#include <algorithm>

namespace carrel::ui {

namespace {

QColor mixed(const QColor& under, const QColor& over, double part) {
    return QColor::fromRgbF(static_cast<float>(under.redF() * (1 - part) + over.redF() * part),
                            static_cast<float>(under.greenF() * (1 - part) + over.greenF() * part),
                            static_cast<float>(under.blueF() * (1 - part) + over.blueF() * part));
}

QColor faint(const QPalette& palette) {
    return mixed(palette.color(QPalette::Base), palette.color(QPalette::Text), 0.62);
}

Tone toneOf(RowKind kind, DiffView::Side side) {
    switch (kind) {
    case RowKind::Changed:
        return side == DiffView::Side::Left ? Tone::Removed : Tone::Added;
    case RowKind::Removed:
        return Tone::Removed;
    case RowKind::Agents:
        return Tone::Added;
    case RowKind::Yours:
        return Tone::Note;
    case RowKind::Strange:
        return Tone::Warning;
    default:
        return Tone::Added;
    }
}

} // namespace

// Of the two sides of a changed line; the cache keeps as many as are seen.
DiffView::Laid& DiffView::laid(int line, Side side) const {
    const auto key = static_cast<quint64>(line) * 2 + (side == Side::Right ? 1 : 0);
    if (auto* const found = m_laid.object(key)) {
        return *found;
    }
    const auto& row = rowOf(line);
    const bool right = isOneColumn() ? m_lines[line].shows == Shows::Right : side == Side::Right;
    auto* const made = new Laid;
    made->text = shownLine(right ? row.right : row.left);
    if (row.kind == RowKind::Changed) {
        const auto marks = wordMarks(shownLine(row.left), shownLine(row.right));
        const auto tone = right ? Tone::Added : Tone::Removed;
        for (const auto& mark : right ? marks.right : marks.left) {
            QTextLayout::FormatRange range;
            range.start = mark.start;
            range.length = mark.length;
            range.format.setBackground(mixed(palette().color(QPalette::Base), toneColour(tone, palette()), isDark(palette()) ? 0.5 : 0.36));
            made->marks.push_back(range);
        }
    }
    QTextOption option;
    option.setWrapMode(QTextOption::NoWrap);
    option.setTextDirection(Qt::LeftToRight);
    option.setTabStopDistance(fontMetrics().horizontalAdvance('0') * kTabColumns);
    made->layout.setFont(font());
    made->layout.setTextOption(option);
    made->layout.setText(made->text);
    made->layout.beginLayout();
    auto only = made->layout.createLine();
    only.setLineWidth(1e7);
    made->layout.endLayout();
    m_laid.insert(key, made);
    return *made;
}

QColor DiffView::paper(const DiffRow& row, Side side) const {
    switch (row.kind) {
    case RowKind::Changed:
    case RowKind::Removed:
    case RowKind::Added:
    case RowKind::Yours:
    case RowKind::Agents:
    case RowKind::Strange:
        return toneBackground(toneOf(row.kind, side), palette());
    case RowKind::Base:
    case RowKind::Agreed:
        return palette().color(QPalette::AlternateBase);
    default:
        return palette().color(QPalette::Base);
    }
}

QString DiffView::bandText(const DiffRow& row) const {
    if (row.kind == RowKind::CutOff) {
        return tr("%n more line(s) differ. They are too many for this view: look at the files themselves before you decide.", nullptr,
                  static_cast<int>(std::min<std::uint32_t>(row.leftNumber, 1'000'000'000)));
    }
    if (m_kind == Kind::ThreeWays) {
        auto text = shownLine(row.left); // "@@ 3,2: both changed it @@": a line, how many, and what became of them
        while (text.startsWith('@') || text.startsWith(' ')) {
            text.remove(0, 1);
        }
        while (text.endsWith('@') || text.endsWith(' ')) {
            text.chop(1);
        }
        static const QRegularExpression count(QStringLiteral("^(\\d+),\\d+:"));
        return tr("From line %1").arg(text.replace(count, QStringLiteral("\\1:")));
    }
    return row.leftNumber == row.rightNumber ? tr("From line %1").arg(row.rightNumber)
                                             : tr("From line %1, which was line %2").arg(row.rightNumber).arg(row.leftNumber);
}

void DiffView::paintHead(QPainter& painter, const QVector<Pane>& panes) const {
    const int height = headHeight();
    if (height == 0) {
        return;
    }
    painter.fillRect(0, 0, viewport()->width(), height, palette().color(QPalette::Window));
    painter.setPen(palette().color(QPalette::WindowText));
    auto bold = QWidget::font();
    bold.setFamily(parentWidget() != nullptr ? parentWidget()->font().family() : bold.family());
    bold.setBold(true);
    painter.setFont(bold);
    for (const auto& pane : panes) {
        const auto title = panes.size() == 1 && !m_rightTitle.isEmpty() ? m_leftTitle + QStringLiteral(" → ") + m_rightTitle
                           : pane.side == Side::Left                   ? m_leftTitle
                                                                       : m_rightTitle;
        painter.drawText(QRect(pane.x + 8, 0, pane.width - 12, height), Qt::AlignVCenter | Qt::AlignLeft, title);
    }
    painter.setFont(font());
    painter.setPen(mixed(palette().color(QPalette::Base), palette().color(QPalette::Text), 0.25));
    painter.drawLine(0, height - 1, viewport()->width(), height - 1);
}

void DiffView::paintGutter(QPainter& painter, int line, const Pane& pane, int y) const {
    const auto& row = rowOf(line);
    const int cell = fontMetrics().horizontalAdvance('0');
    const int height = lineHeight();
    const auto number = [&](std::uint32_t value, int right, int width) {
        if (value > 0) {
            painter.setPen(faint(palette()));
            painter.drawText(QRect(right - width, y, width, height), Qt::AlignRight | Qt::AlignVCenter, QString::number(value));
        }
    };
    if (m_kind == Kind::ThreeWays) {
        const auto word = row.kind == RowKind::Base     ? tr("began")
                          : row.kind == RowKind::Yours  ? tr("yours")
                          : row.kind == RowKind::Agents ? tr("agent")
                          : row.kind == RowKind::Agreed ? tr("both")
                                                        : QString();
        painter.setPen(row.kind == RowKind::Yours || row.kind == RowKind::Agents ? toneColour(toneOf(row.kind, Side::Left), palette())
                                                                                 : faint(palette()));
        painter.drawText(QRect(pane.x + cell, y, pane.gutter - cell, height), Qt::AlignLeft | Qt::AlignVCenter, word);
        return;
    }
    const auto shows = m_lines[line].shows;
    const bool right = isOneColumn() ? shows == Shows::Right : pane.side == Side::Right;
    if (isOneColumn()) {
        const int width = (pane.gutter - 5 * cell) / 2;
        number(shows == Shows::Right ? 0 : row.leftNumber, pane.x + cell + width, width);
        number(shows == Shows::Left ? 0 : row.rightNumber, pane.x + 2 * cell + 2 * width, width);
    } else {
        const int width = pane.gutter - 4 * cell;
        number(right ? row.rightNumber : row.leftNumber, pane.x + cell + width, width);
    }
    QString sign;
    if (row.kind == RowKind::Changed || row.kind == RowKind::Removed || row.kind == RowKind::Added) {
        sign = right || row.kind == RowKind::Added ? QStringLiteral("+") : QStringLiteral("−");
    } else if (row.kind == RowKind::Strange) {
        sign = QStringLiteral("?");
    }
    if (!sign.isEmpty()) {
        painter.setPen(toneColour(sign == '+' ? Tone::Added : sign == '?' ? Tone::Warning : Tone::Removed, palette()));
        painter.drawText(QRect(pane.x + pane.gutter - 2 * cell - cell / 2, y, cell, height), Qt::AlignCenter, sign);
    }
}

// A tab is no run of blanks, and can be told from it.
// Where one is takes Qt a walk through the line, and a line may be all tabs: only those that are seen.
void DiffView::paintTabs(QPainter& painter, const Laid& laid, QPointF at, const QRectF& seen) const {
    const auto line = laid.layout.lineAt(0);
    const qreal middle = at.y() + line.height() / 2;
    const int cell = fontMetrics().horizontalAdvance('0');
    painter.setPen(QPen(mixed(palette().color(QPalette::Base), palette().color(QPalette::Text), 0.35), 1));
    const auto first = std::max<qsizetype>(0, line.xToCursor(seen.left() - at.x()) - 1);
    for (auto tab = laid.text.indexOf('\t', first); tab >= 0; tab = laid.text.indexOf('\t', tab + 1)) {
        const qreal begin = at.x() + line.cursorToX(static_cast<int>(tab)) + 2;
        if (begin > seen.right()) {
            break;
        }
        const qreal end = begin + cell;
        painter.drawLine(QPointF(begin, middle), QPointF(end, middle));
        painter.drawLine(QPointF(end - 3, middle - 2.5), QPointF(end, middle));
        painter.drawLine(QPointF(end - 3, middle + 2.5), QPointF(end, middle));
    }
}

QVector<QTextLayout::FormatRange> DiffView::selectionIn(int line, Side side, int length) const {
    if (m_anchor.line < 0 || side != m_side || m_anchor == m_cursor) {
        return {};
    }
    const auto before = [](const Place& a, const Place& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; };
    const auto first = std::min(m_anchor, m_cursor, before);
    const auto last = std::max(m_anchor, m_cursor, before);
    if (line < first.line || line > last.line) {
        return {};
    }
    QTextLayout::FormatRange range;
    range.start = line == first.line ? first.column : 0;
    range.length = (line == last.line ? last.column : length) - range.start;
    range.format.setBackground(palette().color(QPalette::Highlight));
    range.format.setForeground(palette().color(QPalette::HighlightedText));
    return {range};
}

void DiffView::paintPane(QPainter& painter, int line, const Pane& pane, int y) const {
    const auto& row = rowOf(line);
    const QRect area(pane.x, y, pane.width, lineHeight());
    if (!has(line, pane.side)) { // the other side has a line that this one has not
        painter.fillRect(area, palette().color(QPalette::AlternateBase));
        painter.fillRect(area, QBrush(mixed(palette().color(QPalette::Base), palette().color(QPalette::Text), 0.16), Qt::BDiagPattern));
        return;
    }
    const bool right = isOneColumn() ? m_lines[line].shows == Shows::Right : pane.side == Side::Right;
    const auto side = right ? Side::Right : Side::Left;
    painter.fillRect(area, paper(row, side));
    paintGutter(painter, line, pane, y);
    const auto& text = laid(line, pane.side);
    const QRect room(pane.x + pane.gutter, y, pane.width - pane.gutter, lineHeight());
    const QPointF at(room.x() - horizontalScrollBar()->value(), y + 1);
    painter.save();
    painter.setClipRect(room);
    painter.setPen(palette().color(QPalette::Text));
    auto ranges = text.marks;
    ranges += selectionIn(line, pane.side, static_cast<int>(text.text.size()));
    const QRectF seen = painter.clipBoundingRect();
    text.layout.draw(&painter, at, ranges, seen);
    paintTabs(painter, text, at, seen);
    if (right ? row.rightOpen : row.leftOpen) {
        auto slanted = font();
        slanted.setItalic(true);
        painter.setFont(slanted);
        painter.setPen(faint(palette()));
        const qreal end = at.x() + text.layout.lineAt(0).naturalTextWidth() + fontMetrics().horizontalAdvance('0');
        painter.drawText(QRectF(end, y, 400, lineHeight()), Qt::AlignLeft | Qt::AlignVCenter, tr("(no line end here)"));
    }
    painter.restore();
}

void DiffView::paintEvent(QPaintEvent* event) {
    QPainter painter(viewport());
    painter.setFont(font());
    painter.fillRect(event->rect(), palette().color(QPalette::Base));
    const auto all = panes();
    const int height = lineHeight();
    const int width = viewport()->width();
    int y = headHeight();
    for (int line = verticalScrollBar()->value(); line < m_lines.size() && y < viewport()->height(); ++line, y += height) {
        if (isBand(line)) {
            const auto& row = rowOf(line);
            const bool cut = row.kind == RowKind::CutOff;
            painter.fillRect(0, y, width, height,
                             cut ? toneBackground(Tone::Warning, palette()) : palette().color(QPalette::Window));
            painter.setPen(cut ? palette().color(QPalette::Text) : faint(palette()));
            painter.drawText(QRect(8, y, width - 16, height), Qt::AlignLeft | Qt::AlignVCenter, bandText(row));
            continue;
        }
        for (const auto& pane : all) {
            paintPane(painter, line, pane, y);
        }
        if (m_change >= 0 && line >= m_changes[m_change].first && line < m_changes[m_change].second) {
            painter.fillRect(0, y, 3, height, palette().color(QPalette::Highlight));
        }
    }
    if (all.size() > 1) {
        painter.setPen(mixed(palette().color(QPalette::Base), palette().color(QPalette::Text), 0.25));
        painter.drawLine(all[1].x - 1, 0, all[1].x - 1, viewport()->height());
    }
    paintHead(painter, all);
}

} // namespace carrel::ui
