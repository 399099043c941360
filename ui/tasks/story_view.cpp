// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_view.h"

#include "ui/tasks/story_model.h"

#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QKeyEvent>
#include <QMenu>
#include <QScopedValueRollback>
#include <QScrollBar>

#include <algorithm>

namespace carrel::ui {

namespace {
constexpr int kMostRounds = 12; // of measuring: each brings rows into view that were not
} // namespace

StoryView::StoryView(StoryModel& model, QWidget* parent)
    : QTableView(parent)
    , m_model(model)
    , m_delegate(new StoryDelegate(model, this)) {
    setObjectName("story");
    setAccessibleName(tr("What was said and done"));
    setItemDelegate(m_delegate);
    setShowGrid(false);
    setTabKeyNavigation(false);
    setSelectionBehavior(SelectRows);
    setSelectionMode(ExtendedSelection);
    setEditTriggers(NoEditTriggers);
    setVerticalScrollMode(ScrollPerPixel);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn); // it does not come and go: all would be laid out anew
    setCornerButtonEnabled(false);
    setWordWrap(false);
    horizontalHeader()->hide();
    horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    verticalHeader()->hide();
    verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    verticalHeader()->setMinimumSectionSize(1);
    verticalHeader()->setDefaultSectionSize(fontMetrics().height() * 2);
    verticalScrollBar()->setSingleStep(fontMetrics().height());
    setModel(&model);
    connect(&model, &StoryModel::taken, this, &StoryView::settle);
    connect(&model, &QAbstractItemModel::modelReset, this, [this] { m_follows = true; });
}

void StoryView::goToEnd() {
    m_follows = true;
    settle();
}

// The first row in view whose height was right stays where it is, so that nothing jumps under the reader's eyes.
bool StoryView::measure() {
    const int rows = m_model.rowCount();
    const int first = rowAt(0);
    if (first < 0) {
        return false;
    }
    const int lowest = rowAt(viewport()->height() - 1);
    const int last = lowest < 0 ? rows - 1 : lowest;
    const int width = viewport()->width();
    int still = -1;
    bool changed = false;
    for (int row = first; row <= last; ++row) {
        const int height = m_delegate->height(row, width, font());
        if (rowHeight(row) == height) {
            still = still < 0 ? row : still;
        }
    }
    const int anchor = still < 0 ? first : still;
    const int place = rowViewportPosition(anchor);
    for (int row = first; row <= last; ++row) {
        if (const int height = m_delegate->height(row, width, font()); rowHeight(row) != height) {
            setRowHeight(row, height);
            changed = true;
        }
    }
    if (changed) {
        updateGeometries(); // the scroll bar's range
        if (!m_follows) {
            verticalScrollBar()->setValue(verticalScrollBar()->value() + rowViewportPosition(anchor) - place);
        }
    }
    return changed;
}

void StoryView::settle() {
    if (m_settling || !isVisible()) {
        return;
    }
    const QScopedValueRollback inside(m_settling, true);
    updateGeometries();
    for (int round = 0; round < kMostRounds; ++round) {
        if (m_follows) {
            verticalScrollBar()->setValue(verticalScrollBar()->maximum());
        }
        if (!measure()) {
            break;
        }
    }
    const int first = rowAt(0);
    if (first >= 0) {
        const int lowest = rowAt(viewport()->height() - 1);
        m_delegate->keepOnly(first, lowest < 0 ? m_model.rowCount() - 1 : lowest);
    }
    viewport()->update();
}

void StoryView::showEvent(QShowEvent* event) {
    QTableView::showEvent(event);
    settle(); // what came meanwhile
}

void StoryView::resizeEvent(QResizeEvent* event) {
    const bool followed = m_follows;
    QTableView::resizeEvent(event);
    m_follows = followed;
    settle();
}

void StoryView::changeEvent(QEvent* event) {
    QTableView::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_delegate != nullptr) {
        settle();
    }
}

void StoryView::scrollContentsBy(int dx, int dy) {
    QTableView::scrollContentsBy(dx, dy);
    if (!m_settling) {
        m_follows = verticalScrollBar()->value() >= verticalScrollBar()->maximum();
        settle();
    }
}

void StoryView::toggle(int row) {
    if (row >= 0) {
        m_follows = false; // what is opened stays where it is looked at
        m_model.setOpened(row, !m_model.isOpened(row));
        m_follows = verticalScrollBar()->value() >= verticalScrollBar()->maximum();
    }
}

// A row that is higher than the view is read by the arrow keys before they leave it.
bool StoryView::scrollWithin(int key) {
    if (!currentIndex().isValid()) {
        return false;
    }
    const auto box = visualRect(currentIndex());
    const bool down = key == Qt::Key_Down;
    if (down ? box.bottom() > viewport()->height() : box.top() < 0) {
        verticalScrollBar()->triggerAction(down ? QAbstractSlider::SliderSingleStepAdd : QAbstractSlider::SliderSingleStepSub);
        return true;
    }
    return false;
}

void StoryView::keyPressEvent(QKeyEvent* event) {
    const int row = currentIndex().row();
    const bool folds = row >= 0 && m_model.at(row).folds();
    if (event->matches(QKeySequence::Copy)) {
        copy();
        return;
    }
    switch (event->key()) {
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Space:
        if (folds) {
            toggle(row);
            return;
        }
        break;
    case Qt::Key_Left:
    case Qt::Key_Right:
        if (folds && m_model.isOpened(row) == (event->key() == Qt::Key_Left)) {
            toggle(row);
            return;
        }
        break;
    case Qt::Key_PageUp:
    case Qt::Key_PageDown:
        verticalScrollBar()->triggerAction(event->key() == Qt::Key_PageUp ? QAbstractSlider::SliderPageStepSub : QAbstractSlider::SliderPageStepAdd);
        return;
    case Qt::Key_Home:
        setCurrentIndex(m_model.index(0));
        return;
    case Qt::Key_End:
        setCurrentIndex(m_model.index(m_model.rowCount() - 1));
        goToEnd();
        return;
    case Qt::Key_Up:
    case Qt::Key_Down:
        if (event->modifiers() == Qt::NoModifier && scrollWithin(event->key())) {
            return;
        }
        break;
    default:
        break;
    }
    QTableView::keyPressEvent(event);
}

void StoryView::mouseReleaseEvent(QMouseEvent* event) {
    const auto at = event->position().toPoint();
    const auto index = indexAt(at);
    const bool one = selectionModel()->selectedRows().size() == 1;
    QTableView::mouseReleaseEvent(event);
    if (event->button() == Qt::LeftButton && event->modifiers() == Qt::NoModifier && one && index.isValid() && index == currentIndex() &&
        m_model.at(index.row()).folds() && at.y() - visualRect(index).top() <= m_delegate->foldHeight(index.row(), viewport()->width(), font())) {
        toggle(index.row());
    }
}

void StoryView::contextMenuEvent(QContextMenuEvent* event) {
    if (!selectionModel()->hasSelection()) {
        return;
    }
    auto* const menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    connect(menu->addAction(tr("&Copy")), &QAction::triggered, this, &StoryView::copy);
    menu->popup(event->globalPos());
}

void StoryView::copy() const {
    auto rows = selectionModel()->selectedRows();
    std::sort(rows.begin(), rows.end());
    QStringList out;
    for (const auto& each : rows) {
        out << m_model.at(each.row()).whole();
    }
    if (!out.isEmpty()) {
        QApplication::clipboard()->setText(out.join(QStringLiteral("\n\n")));
    }
}

} // namespace carrel::ui
