// SPDX-License-Identifier: Apache-2.0
// DiffView but for its painting: lines, scrolling, selection.
#include "ui/changes/diff_view.h"

#include "ui/changes/shown_line.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QFontDatabase>
#include <QKeyEvent>
#include <QMenu>
#include <QScrollBar>
#include <QTextBoundaryFinder>

#include <algorithm>

namespace carrel::ui {

namespace {
constexpr int kLaidLines = 600; // as many as a large screen shows, both sides
constexpr qsizetype kMostCopied = 16 * 1024 * 1024; // characters

bool differs(RowKind kind) {
    return kind == RowKind::Changed || kind == RowKind::Removed || kind == RowKind::Added || kind == RowKind::Base ||
           kind == RowKind::Yours || kind == RowKind::Agents || kind == RowKind::Agreed;
}
} // namespace

DiffView::DiffView(QWidget* parent)
    : QAbstractScrollArea(parent)
    , m_laid(kLaidLines) {
    setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    setFocusPolicy(Qt::StrongFocus);
    viewport()->setCursor(Qt::IBeamCursor);
    viewport()->setBackgroundRole(QPalette::Base);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAsNeeded);
    setAccessibleName(tr("Difference"));
}

DiffView::~DiffView() = default;

void DiffView::show(DiffDocument document, Kind kind, const QString& left, const QString& right) {
    m_document = std::move(document);
    m_kind = kind;
    m_leftTitle = left;
    m_rightTitle = right;
    m_columns = 0;
    m_highest = 0;
    for (const auto& row : m_document.rows) {
        m_columns = std::max({m_columns, columnsOf(row.left), columnsOf(row.right)});
        if (row.kind != RowKind::CutOff) {
            m_highest = std::max({m_highest, row.leftNumber, row.rightNumber});
        }
    }
    arrangeLines();
    verticalScrollBar()->setValue(0);
    horizontalScrollBar()->setValue(0);
}

void DiffView::clear() {
    show({}, Kind::TwoWays, {}, {});
}

bool DiffView::isOneColumn() const {
    return m_kind == Kind::ThreeWays || m_arrangement == Arrangement::OneColumn;
}

DiffView::Arrangement DiffView::arrangement() const {
    return isOneColumn() ? Arrangement::OneColumn : Arrangement::SideBySide;
}

void DiffView::arrange(Arrangement arrangement) {
    if (arrangement != m_arrangement) {
        m_arrangement = arrangement;
        arrangeLines();
    }
}

// In one column a run's old lines stand before its new ones.
void DiffView::arrangeLines() {
    m_laid.clear();
    m_lines.clear();
    m_changes.clear();
    m_change = -1;
    m_anchor = m_cursor = {};
    const auto& rows = m_document.rows;
    const bool split = m_kind == Kind::TwoWays && m_arrangement == Arrangement::OneColumn;
    for (std::uint32_t row = 0; row < rows.size();) {
        if (!differs(rows[row].kind)) {
            m_lines.push_back({row++, Shows::Both});
            continue;
        }
        auto end = row;
        while (end < rows.size() && differs(rows[end].kind)) {
            ++end;
        }
        const auto first = static_cast<int>(m_lines.size());
        for (auto at = row; at < end; ++at) {
            if (!split) {
                m_lines.push_back({at, Shows::Both});
            } else if (rows[at].kind != RowKind::Added) {
                m_lines.push_back({at, Shows::Left});
            }
        }
        for (auto at = row; split && at < end; ++at) {
            if (rows[at].kind != RowKind::Removed) {
                m_lines.push_back({at, Shows::Right});
            }
        }
        m_changes.push_back({first, static_cast<int>(m_lines.size())});
        row = end;
    }
    adjustBars();
    viewport()->update();
}

int DiffView::lineHeight() const {
    return fontMetrics().height() + 2;
}

int DiffView::headHeight() const {
    return m_leftTitle.isEmpty() && m_rightTitle.isEmpty() ? 0 : fontMetrics().height() + 8;
}

int DiffView::linesSeen() const {
    return std::max(1, (viewport()->height() - headHeight()) / lineHeight());
}

QVector<DiffView::Pane> DiffView::panes() const {
    const int cell = fontMetrics().horizontalAdvance('0');
    const int width = viewport()->width();
    if (m_kind == Kind::ThreeWays) {
        int widest = 0;
        for (const auto& word : {tr("began"), tr("yours"), tr("agent"), tr("both")}) {
            widest = std::max(widest, fontMetrics().horizontalAdvance(word));
        }
        return {{Side::Left, 0, width, widest + 2 * cell}};
    }
    const int numbers = cell * std::max<int>(3, static_cast<int>(QString::number(m_highest).size()));
    if (isOneColumn()) {
        return {{Side::Left, 0, width, 2 * numbers + 5 * cell}};
    }
    const int half = (width - 1) / 2;
    return {{Side::Left, 0, half, numbers + 4 * cell}, {Side::Right, half + 1, width - half - 1, numbers + 4 * cell}};
}

void DiffView::adjustBars() {
    const int seen = linesSeen();
    auto* const down = verticalScrollBar();
    down->setRange(0, std::max(0, static_cast<int>(m_lines.size()) - seen));
    down->setPageStep(seen);
    down->setSingleStep(1);
    const auto all = panes();
    const auto& pane = all.last();
    const int text = pane.width - pane.gutter;
    const int cell = fontMetrics().horizontalAdvance('0');
    auto* const along = horizontalScrollBar();
    along->setRange(0, std::max(0, (m_columns + 2) * cell - text));
    along->setPageStep(std::max(1, text));
    along->setSingleStep(4 * cell);
}

void DiffView::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    adjustBars();
}

void DiffView::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::PaletteChange || event->type() == QEvent::StyleChange) {
        m_laid.clear();
        adjustBars();
        viewport()->update();
    }
}

void DiffView::scrollContentsBy(int /*dx*/, int /*dy*/) {
    viewport()->update();
}

QSize DiffView::sizeHint() const {
    return {640, 400};
}

QSize DiffView::minimumSizeHint() const {
    return {200, 120};
}

bool DiffView::isBand(int line) const {
    const auto kind = rowOf(line).kind;
    return kind == RowKind::Gap || kind == RowKind::CutOff;
}

bool DiffView::has(int line, Side side) const {
    if (isBand(line)) {
        return false;
    }
    if (isOneColumn()) {
        return side == Side::Left;
    }
    const auto kind = rowOf(line).kind;
    return side == Side::Left ? kind != RowKind::Added : kind != RowKind::Removed && kind != RowKind::Strange;
}

void DiffView::see(int line) {
    auto* const down = verticalScrollBar();
    const int last = down->value() + linesSeen() - 1;
    if (line < down->value() || line > last) {
        down->setValue(line - linesSeen() / 3);
    }
}

void DiffView::goToChange(int by) {
    if (m_changes.isEmpty()) {
        return;
    }
    m_change = m_change < 0 ? (by > 0 ? 0 : static_cast<int>(m_changes.size()) - 1)
                            : std::clamp(m_change + by, 0, static_cast<int>(m_changes.size()) - 1);
    see(m_changes[m_change].first);
    viewport()->update();
}

QString DiffView::selectedText() const {
    if (m_anchor.line < 0 || m_cursor.line < 0 || m_anchor == m_cursor) {
        return {};
    }
    const auto& [first, last] = std::minmax(m_anchor, m_cursor, [](const Place& a, const Place& b) {
        return a.line != b.line ? a.line < b.line : a.column < b.column;
    });
    QString out;
    for (int line = first.line; line <= last.line && line < m_lines.size() && out.size() < kMostCopied; ++line) {
        if (!has(line, m_side)) {
            continue;
        }
        const auto& row = rowOf(line);
        const bool right = isOneColumn() ? m_lines[line].shows == Shows::Right : m_side == Side::Right;
        const auto text = shownLine(right ? row.right : row.left);
        const int from = line == first.line ? first.column : 0;
        const int to = line == last.line ? last.column : static_cast<int>(text.size());
        out += text.mid(from, to - from);
        if (line != last.line) {
            out += '\n';
        }
    }
    return out;
}

void DiffView::copy() const {
    if (const auto text = selectedText(); !text.isEmpty()) {
        QApplication::clipboard()->setText(text);
    }
}

void DiffView::selectAll(Side side) {
    if (m_lines.isEmpty()) {
        return;
    }
    m_side = isOneColumn() ? Side::Left : side;
    m_anchor = {0, 0};
    const int last = static_cast<int>(m_lines.size()) - 1;
    m_cursor = {last, has(last, m_side) ? static_cast<int>(laid(last, m_side).text.size()) : 0};
    viewport()->update();
}

void DiffView::extendByLines(int by) {
    if (m_lines.isEmpty()) {
        return;
    }
    if (m_anchor.line < 0) {
        m_anchor = m_cursor = {verticalScrollBar()->value(), 0};
    }
    m_cursor = {std::clamp(m_cursor.line + by, 0, static_cast<int>(m_lines.size()) - 1), 0};
    if (m_cursor.line + 1 == m_lines.size() && by > 0 && has(m_cursor.line, m_side)) {
        m_cursor.column = static_cast<int>(laid(m_cursor.line, m_side).text.size());
    }
    see(m_cursor.line);
    viewport()->update();
}

void DiffView::keyPressEvent(QKeyEvent* event) {
    auto* const down = verticalScrollBar();
    if (event->matches(QKeySequence::Copy)) {
        copy();
    } else if (event->matches(QKeySequence::SelectAll)) {
        selectAll(m_side);
    } else if (event->matches(QKeySequence::SelectNextLine)) {
        extendByLines(1);
    } else if (event->matches(QKeySequence::SelectPreviousLine)) {
        extendByLines(-1);
    } else if (event->key() == Qt::Key_Home) {
        down->setValue(0);
    } else if (event->key() == Qt::Key_End) {
        down->setValue(down->maximum());
    } else if (event->modifiers() == Qt::NoModifier && (event->key() == Qt::Key_N || event->key() == Qt::Key_P)) {
        goToChange(event->key() == Qt::Key_N ? 1 : -1);
    } else {
        QAbstractScrollArea::keyPressEvent(event);
    }
}

DiffView::Side DiffView::sideAt(int x) const {
    const auto all = panes();
    return all.size() > 1 && x >= all[1].x ? Side::Right : Side::Left;
}

DiffView::Place DiffView::placeAt(QPoint point, Side side) const {
    if (m_lines.isEmpty()) {
        return {};
    }
    const int row = (point.y() - headHeight()) / lineHeight() - (point.y() < headHeight() ? 1 : 0);
    const int line = std::clamp(verticalScrollBar()->value() + row, 0, static_cast<int>(m_lines.size()) - 1);
    if (!has(line, side)) {
        return {line, 0};
    }
    const auto all = panes();
    const auto& pane = side == Side::Right ? all.last() : all.first();
    const int x = point.x() - pane.x - pane.gutter + horizontalScrollBar()->value();
    return {line, laid(line, side).layout.lineAt(0).xToCursor(x)};
}

void DiffView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) {
        return;
    }
    if ((event->modifiers() & Qt::ShiftModifier) == 0 || m_anchor.line < 0) {
        m_side = sideAt(event->pos().x());
        m_anchor = placeAt(event->pos(), m_side);
    }
    m_cursor = placeAt(event->pos(), m_side);
    viewport()->update();
}

void DiffView::mouseMoveEvent(QMouseEvent* event) {
    if ((event->buttons() & Qt::LeftButton) == 0) {
        return;
    }
    auto* const down = verticalScrollBar();
    if (event->pos().y() > viewport()->height()) {
        down->setValue(down->value() + 1);
    } else if (event->pos().y() < headHeight()) {
        down->setValue(down->value() - 1);
    }
    m_cursor = placeAt(event->pos(), m_side);
    viewport()->update();
}

void DiffView::mouseReleaseEvent(QMouseEvent* event) {
    event->accept();
}

void DiffView::mouseDoubleClickEvent(QMouseEvent* event) {
    m_side = sideAt(event->pos().x());
    const auto at = placeAt(event->pos(), m_side);
    if (at.line < 0 || !has(at.line, m_side)) {
        return;
    }
    const auto& text = laid(at.line, m_side).text;
    QTextBoundaryFinder words(QTextBoundaryFinder::Word, text);
    words.setPosition(at.column);
    const auto end = words.toNextBoundary();
    const auto begin = words.toPreviousBoundary();
    m_anchor = {at.line, static_cast<int>(std::max<qsizetype>(begin, 0))};
    m_cursor = {at.line, static_cast<int>(end < 0 ? text.size() : end)};
    viewport()->update();
}

void DiffView::contextMenuEvent(QContextMenuEvent* event) {
    auto* const menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    auto* const copying = menu->addAction(tr("&Copy"), this, &DiffView::copy);
    copying->setShortcut(QKeySequence::Copy);
    copying->setEnabled(!selectedText().isEmpty());
    menu->addSeparator();
    if (isOneColumn()) {
        menu->addAction(tr("Select &all"), this, [this] { selectAll(Side::Left); });
    } else {
        menu->addAction(tr("Select all of the &left side"), this, [this] { selectAll(Side::Left); });
        menu->addAction(tr("Select all of the &right side"), this, [this] { selectAll(Side::Right); });
    }
    menu->popup(event->globalPos());
}

} // namespace carrel::ui
