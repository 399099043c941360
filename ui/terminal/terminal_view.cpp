// SPDX-License-Identifier: Apache-2.0
// What is shown, and where; terminal_view_input.cpp has what comes from a person.
#include "ui/terminal/terminal_view.h"

#include "ui/terminal/paste_dialog.h"
#include "ui/terminal/terminal_accessible.h"
#include "ui/terminal/terminal_painter.h"

#include <QAccessible>
#include <QApplication>
#include <QFontDatabase>
#include <QPaintEvent>
#include <QElapsedTimer>
#include <QPainter>
#include <QScrollBar>

#include <algorithm>

namespace carrel::ui {

using namespace api::terminal;

namespace {
constexpr int kMargin = 4; // around the cells
constexpr double kLeastPointSize = 5;
constexpr double kLargestPointSize = 48;
} // namespace

TerminalView::TerminalView(QWidget* parent)
    : QAbstractScrollArea(parent)
    , m_painter(std::make_unique<TerminalPainter>()) {
    static const bool once = [] {
        QAccessible::installFactory(terminalAccessible);
        return true;
    }();
    (void)once;
    setObjectName(QStringLiteral("terminal"));
    setAccessibleName(tr("Terminal"));
    setFocusPolicy(Qt::StrongFocus);
    setAttribute(Qt::WA_InputMethodEnabled);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn); // or the width would change when the first line leaves the screen
    viewport()->setCursor(Qt::IBeamCursor);
    viewport()->setBackgroundRole(QPalette::Base);
    viewport()->setAutoFillBackground(true);
    setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_usualPointSize = pointSize();
    m_painter->setFont(font());
}

TerminalView::~TerminalView() = default;

double TerminalView::pointSize() const {
    return font().pointSizeF() > 0 ? font().pointSizeF() : 10;
}

void TerminalView::zoom(int steps) {
    auto changed = font();
    changed.setPointSizeF(steps == 0 ? m_usualPointSize : std::clamp(pointSize() + steps, kLeastPointSize, kLargestPointSize));
    setFont(changed); // changeEvent() does the rest
}

void TerminalView::measure() {
    m_painter->setFont(font());
    verticalScrollBar()->setSingleStep(1);
    updateScrollBar({});
    viewport()->update();
    emit sizeChanged();
}

std::pair<std::uint16_t, std::uint16_t> TerminalView::sizeInCells() const {
    return cellsIn(viewport()->size());
}

std::pair<std::uint16_t, std::uint16_t> TerminalView::sizeInCells(const QSize& widget) const {
    return cellsIn(widget - QSize(verticalScrollBar()->sizeHint().width(), 0));
}

std::pair<std::uint16_t, std::uint16_t> TerminalView::cellsIn(const QSize& room) const {
    const auto fit = [](int along, int each, int least, int most) {
        return static_cast<std::uint16_t>(std::clamp((along - 2 * kMargin) / std::max(each, 1), least, most));
    };
    return {fit(room.height(), m_painter->cellHeight(), kMinRows, kMaxRows), fit(room.width(), m_painter->cellWidth(), kMinColumns, kMaxColumns)};
}

std::int64_t TerminalView::topLine() const {
    return m_grid.firstLine() + verticalScrollBar()->value();
}

QRect TerminalView::cellRect(std::int64_t line, int column) const {
    return {kMargin + column * m_painter->cellWidth(), kMargin + static_cast<int>(line - topLine()) * m_painter->cellHeight(),
            m_painter->cellWidth(), m_painter->cellHeight()};
}

void TerminalView::take(Frame&& frame) {
    std::vector<std::int64_t> touched;
    const auto before = m_grid.screenTop();
    const auto selectedBefore = m_selection.text(m_grid, before, m_grid.endLine());
    updateCursor();
    touched.reserve(frame.rows.size());
    for (const auto& [row, line] : frame.rows) {
        touched.push_back(row);
    }
    const auto change = m_grid.apply(std::move(frame));
    // What is selected is what was seen when it was: a text that changes under it is not.
    if (!m_selection.isEmpty() && !m_selecting &&
        m_selection.text(m_grid, before, before + std::max<std::int64_t>(m_grid.endLine() - before, 0)) != selectedBefore) {
        m_selection.clear();
        viewport()->update();
    }
    updateScrollBar(change);
    if (change.scrolled > 0 || change.resized) {
        viewport()->update();
    } else {
        for (const auto row : touched) {
            auto rect = cellRect(m_grid.screenTop() + row, 0);
            rect.setLeft(0);
            rect.setRight(viewport()->width());
            viewport()->update(rect.adjusted(0, -1, 0, 1));
        }
    }
    m_cursorShown = true;
    updateBlinking();
    updateCursor();
    updateMicroFocus();
    if (QAccessible::isActive()) {
        QAccessibleTextCursorEvent moved(this, 0);
        QAccessible::updateAccessibility(&moved);
    }
}

void TerminalView::clearAll() {
    m_grid.clear();
    m_selection.clear();
    m_composing.clear();
    updateScrollBar({});
    viewport()->update();
}

void TerminalView::setLive(bool live) {
    m_live = live;
    if (!live && m_pasting) {
        m_pasting->reject();
    }
    updateBlinking();
    viewport()->update();
}

void TerminalView::setReplay(bool replay) {
    m_replay = replay;
    setVerticalScrollBarPolicy(replay ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAlwaysOn);
    viewport()->update();
}

void TerminalView::fit(std::uint16_t rows, std::uint16_t columns) {
    constexpr double kStep = 0.5;
    const auto room = viewport()->size() - QSize(2 * kMargin, 2 * kMargin);
    auto chosen = font();
    TerminalPainter probe;
    for (double size = m_usualPointSize;; size -= kStep) {
        chosen.setPointSizeF(std::max(size, kLeastPointSize));
        probe.setFont(chosen);
        if (size <= kLeastPointSize || (rows * probe.cellHeight() <= room.height() && columns * probe.cellWidth() <= room.width())) {
            break;
        }
    }
    if (chosen != font()) {
        setFont(chosen); // changeEvent() does the rest
    }
}

void TerminalView::updateScrollBar(const TerminalGrid::Change& change) {
    auto* bar = verticalScrollBar();
    const bool follows = bar->value() >= bar->maximum();
    const int value = bar->value();
    const int above = static_cast<int>(m_grid.screenTop() - m_grid.firstLine());
    bar->setPageStep(std::max<int>(m_grid.screen().rows, 1));
    bar->setRange(0, above);
    // Who looks at what was stays there, also while the oldest lines go.
    bar->setValue(follows ? above : std::clamp(value - static_cast<int>(change.dropped), 0, above));
}

void TerminalView::scrollContentsBy(int /*dx*/, int /*dy*/) {
    viewport()->update();
}

void TerminalView::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    updateScrollBar({});
    emit sizeChanged();
}

void TerminalView::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange) {
        measure();
    } else if (event->type() == QEvent::PaletteChange || event->type() == QEvent::StyleChange) {
        viewport()->update();
    }
}

void TerminalView::paintEvent(QPaintEvent* event) {
    QElapsedTimer taking;
    taking.start();
    QPainter painter(viewport());
    painter.setClipRegion(event->region());
    painter.translate(kMargin, kMargin);
    const int height = m_painter->cellHeight();
    const QRect dirty = event->rect().translated(-kMargin, -kMargin);
    const auto first = topLine() + std::max(0, dirty.top() / height - 1);
    const auto end = std::min(m_grid.endLine(), topLine() + dirty.bottom() / height + 2);
    for (auto number = first; number < end; ++number) {
        const int y = static_cast<int>(number - topLine()) * height;
        m_painter->paintLine(painter, y, m_grid.line(number), m_selection.columnsIn(number, m_grid), palette(), hasFocus());
    }
    const auto& screen = m_grid.screen();
    if ((!m_live && !m_replay) || screen.rows == 0 || (!screen.cursorVisible && m_composing.isEmpty())) {
        return;
    }
    const auto cursorLine = m_grid.screenTop() + screen.cursorRow;
    const int x = screen.cursorColumn * m_painter->cellWidth();
    const int y = static_cast<int>(cursorLine - topLine()) * height;
    const auto colour = palette().color(QPalette::Text);
    if (!m_composing.isEmpty()) {
        const int width = QFontMetrics(m_painter->font()).horizontalAdvance(m_composing);
        painter.fillRect(x, y, width, height, palette().color(QPalette::AlternateBase));
        painter.setFont(m_painter->font());
        painter.setPen(colour);
        painter.drawText(x, y + m_painter->ascent(), m_composing);
        painter.fillRect(x, y + height - 1, width, 1, colour);
        return;
    }
    Cell under;
    int column = 0;
    for (const Cell& cell : m_grid.line(cursorLine)) {
        if (column <= screen.cursorColumn && screen.cursorColumn < column + cell.columns) {
            under = cell;
        }
        column += cell.columns;
    }
    const int width = under.columns * m_painter->cellWidth();
    if (!hasFocus()) {
        painter.setPen(colour);
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(x, y, width - 1, height - 1);
    } else if (m_cursorShown) {
        const int thick = std::max(2, height / 8);
        if (screen.cursorShape == CursorShape::Block) {
            m_painter->paintCell(painter, x, y, under, palette().color(QPalette::Base), colour);
        } else if (screen.cursorShape == CursorShape::Underline) {
            painter.fillRect(x, y + height - thick, width, thick, colour);
        } else {
            painter.fillRect(x, y, thick, height, colour);
        }
    }
    emit painted(taking.elapsed());
}

void TerminalView::updateCursor() {
    const auto& screen = m_grid.screen();
    viewport()->update(cellRect(m_grid.screenTop() + screen.cursorRow, screen.cursorColumn).adjusted(-1, -1, m_painter->cellWidth() + 1, 1));
}

// Only where the program asks for it, the focus is here, and the user's system blinks at all.
void TerminalView::updateBlinking() {
    const int flash = QApplication::cursorFlashTime();
    const bool blinks = m_live && hasFocus() && m_grid.screen().cursorBlinks && flash > 0;
    if (blinks && !m_blink.isActive()) {
        m_blink.start(std::max(flash / 2, 100), this);
    } else if (!blinks) {
        m_blink.stop();
        m_cursorShown = true;
    }
}

void TerminalView::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    m_cursorShown = true;
    updateBlinking();
    viewport()->update();
}

void TerminalView::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    updateBlinking();
    viewport()->update();
}

TerminalSpot TerminalView::spotAt(const QPoint& position, TerminalSelection::Unit unit) const {
    const int width = m_painter->cellWidth();
    // Between two characters: the nearer gap. Of a word: the cell itself.
    const int across = position.x() - kMargin + (unit == TerminalSelection::Unit::Character ? width / 2 : 0);
    const int down = position.y() - kMargin;
    const auto line = topLine() + (down < 0 ? -1 : down / m_painter->cellHeight());
    return {std::clamp(line, m_grid.firstLine(), std::max(m_grid.endLine() - 1, m_grid.firstLine())),
            std::clamp(across / width, 0, static_cast<int>(m_grid.screen().columns))};
}

} // namespace carrel::ui
