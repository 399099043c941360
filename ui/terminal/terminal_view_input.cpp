// SPDX-License-Identifier: Apache-2.0
// What comes from a person: keys, the mouse, the clipboard, the input method.
#include "ui/terminal/paste_dialog.h"
#include "ui/terminal/paste_guard.h"
#include "ui/terminal/terminal_keys.h"
#include "ui/terminal/terminal_view.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QInputMethodEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace carrel::ui {

namespace {
constexpr int kWheelStep = 120; // QWheelEvent: a notch
constexpr int kLinesPerNotch = 3;
constexpr int kDragPaceMs = 50;
} // namespace

// A window's shortcuts would take keys that are the program's, Ctrl+W and Alt+F among them. The brake is the window's all the same:
// it is needed just when somebody watches what goes wrong.
bool TerminalView::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride && m_live) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool brake = key->modifiers() == (Qt::ControlModifier | Qt::ShiftModifier) && key->key() == Qt::Key_P;
        const bool leaves = brake || (key->modifiers().testFlag(Qt::ControlModifier) && (key->key() == Qt::Key_Tab || key->key() == Qt::Key_Backtab));
        event->setAccepted(!leaves);
        return true;
    }
    return QAbstractScrollArea::event(event);
}

// Tab is the program's.
bool TerminalView::focusNextPrevChild(bool next) {
    return m_live ? false : QAbstractScrollArea::focusNextPrevChild(next);
}

void TerminalView::send(const QByteArray& bytes) {
    if (!m_live || bytes.isEmpty()) {
        return;
    }
    auto* bar = verticalScrollBar();
    bar->setValue(bar->maximum()); // where what comes of it shows
    m_cursorShown = true;
    emit typed(bytes);
}

bool TerminalView::ownKey(const QKeyEvent& event) {
    const auto with = event.modifiers() & ~(Qt::KeypadModifier | Qt::GroupSwitchModifier);
    const int key = event.key();
    auto* bar = verticalScrollBar();
    if (with.testFlag(Qt::ControlModifier) && (key == Qt::Key_Tab || key == Qt::Key_Backtab)) {
        (void)QAbstractScrollArea::focusNextPrevChild(key == Qt::Key_Tab && !with.testFlag(Qt::ShiftModifier));
    } else if (with == (Qt::ControlModifier | Qt::ShiftModifier) && key == Qt::Key_C) {
        copy();
    } else if (with == (Qt::ControlModifier | Qt::ShiftModifier) && key == Qt::Key_V) {
        paste();
    } else if (with == Qt::ShiftModifier && key == Qt::Key_Insert) {
        pasteSelected();
    } else if (with.testFlag(Qt::ControlModifier) && !with.testFlag(Qt::AltModifier) && (key == Qt::Key_Plus || key == Qt::Key_Equal)) {
        zoom(1);
    } else if (with == Qt::ControlModifier && key == Qt::Key_Minus) {
        zoom(-1);
    } else if (with == Qt::ControlModifier && key == Qt::Key_0) {
        zoom(0);
    } else if (with == Qt::ShiftModifier && !m_grid.screen().alternate && (key == Qt::Key_PageUp || key == Qt::Key_PageDown)) {
        bar->setValue(bar->value() + (key == Qt::Key_PageUp ? -1 : 1) * std::max(bar->pageStep() - 1, 1));
    } else if (with == Qt::ShiftModifier && !m_grid.screen().alternate && (key == Qt::Key_Home || key == Qt::Key_End)) {
        bar->setValue(key == Qt::Key_Home ? bar->minimum() : bar->maximum());
    } else {
        return false;
    }
    return true;
}

void TerminalView::keyPressEvent(QKeyEvent* event) {
    if (ownKey(*event)) {
        return;
    }
    const auto mode = m_grid.screen().cursorKeys ? CursorKeys::Application : CursorKeys::Normal;
    const auto bytes = bytesOfKey(event->key(), event->modifiers(), event->text(), mode);
    if (!m_live || bytes.isEmpty()) {
        event->ignore();
        return;
    }
    send(bytes);
}

void TerminalView::inputMethodEvent(QInputMethodEvent* event) {
    m_composing = m_live ? event->preeditString() : QString();
    send(reviewPaste(event->commitString()).clean.toUtf8()); // a person chose it, character by character; but none of control
    viewport()->update();
    event->accept();
}

QVariant TerminalView::inputMethodQuery(Qt::InputMethodQuery query) const {
    const auto& screen = m_grid.screen();
    switch (query) {
    case Qt::ImEnabled:
        return m_live;
    case Qt::ImCursorRectangle:
        return cellRect(m_grid.screenTop() + screen.cursorRow, screen.cursorColumn).translated(viewport()->pos());
    case Qt::ImHints:
        return static_cast<int>(Qt::ImhNoPredictiveText | Qt::ImhNoAutoUppercase | Qt::ImhSensitiveData); // there are passwords among it
    case Qt::ImFont:
        return font();
    default:
        return {};
    }
}

void TerminalView::copy() {
    if (!m_selection.isEmpty()) {
        QApplication::clipboard()->setText(selectedText());
    }
}

void TerminalView::selectAll() {
    m_selection.selectAll(m_grid);
    viewport()->update();
}

void TerminalView::paste() {
    pasteText(QApplication::clipboard()->text());
}

void TerminalView::pasteSelected() {
    auto* clipboard = QApplication::clipboard();
    pasteText(clipboard->text(clipboard->supportsSelection() ? QClipboard::Selection : QClipboard::Clipboard));
}

void TerminalView::pasteText(const QString& text) {
    const auto review = reviewPaste(text);
    if (!m_live || m_pasting || (review.clean.isEmpty() && !review.tooLong && review.removed == 0)) {
        return;
    }
    // Whether marks are wanted is asked when it is sent: the program may have ended meanwhile.
    const auto now = [this, review] {
        send(bytesOfPaste(review, m_grid.screen().bracketedPaste ? PasteMarks::Bracketed : PasteMarks::None));
    };
    if (!review.tooLong && !review.mustAsk()) {
        now();
        return;
    }
    m_pasting = new PasteDialog(review, this);
    connect(m_pasting, &QDialog::accepted, this, now);
    m_pasting->open();
}

void TerminalView::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::MiddleButton) {
        pasteSelected();
        return;
    }
    if (event->button() != Qt::LeftButton) {
        return;
    }
    const bool third = m_sinceDouble.isValid() && m_sinceDouble.elapsed() < QApplication::doubleClickInterval() &&
                       (event->pos() - m_doubleAt).manhattanLength() < QApplication::startDragDistance();
    m_sinceDouble.invalidate();
    if (event->modifiers().testFlag(Qt::ShiftModifier) && !m_selection.isEmpty() && !third) {
        m_selection.extendTo(spotAt(event->pos(), m_unit), m_grid);
    } else {
        m_unit = third ? TerminalSelection::Unit::Line : TerminalSelection::Unit::Character;
        m_selection.begin(spotAt(event->pos(), m_unit), m_unit, m_grid);
    }
    m_selecting = true;
    viewport()->update();
}

void TerminalView::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) {
        return;
    }
    m_unit = TerminalSelection::Unit::Word;
    m_selection.begin(spotAt(event->pos(), m_unit), m_unit, m_grid);
    m_sinceDouble.start();
    m_doubleAt = event->pos();
    m_selecting = true;
    viewport()->update();
}

void TerminalView::mouseMoveEvent(QMouseEvent* event) {
    if (!m_selecting) {
        return;
    }
    m_dragAt = event->pos();
    m_selection.extendTo(spotAt(m_dragAt, m_unit), m_grid);
    const bool beyond = m_dragAt.y() < 0 || m_dragAt.y() > viewport()->height();
    if (beyond && !m_drag.isActive()) {
        m_drag.start(kDragPaceMs, this);
    } else if (!beyond) {
        m_drag.stop();
    }
    viewport()->update();
}

void TerminalView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !m_selecting) {
        return;
    }
    m_selecting = false;
    m_drag.stop();
    auto* clipboard = QApplication::clipboard();
    if (!m_selection.isEmpty() && clipboard->supportsSelection()) {
        clipboard->setText(selectedText(), QClipboard::Selection);
    }
}

void TerminalView::timerEvent(QTimerEvent* event) {
    if (event->timerId() == m_blink.timerId()) {
        m_cursorShown = !m_cursorShown;
        updateCursor();
    } else if (event->timerId() == m_drag.timerId()) {
        auto* bar = verticalScrollBar();
        bar->setValue(bar->value() + (m_dragAt.y() < 0 ? -1 : 1));
        m_selection.extendTo(spotAt(m_dragAt, m_unit), m_grid);
        viewport()->update();
    } else {
        QAbstractScrollArea::timerEvent(event);
    }
}

// Where a program fills the screen there is nothing above it: the wheel is its arrow keys, as in other terminals.
void TerminalView::wheelEvent(QWheelEvent* event) {
    m_wheel += event->angleDelta().y();
    const int notches = m_wheel / kWheelStep;
    m_wheel -= notches * kWheelStep;
    if (event->modifiers().testFlag(Qt::ControlModifier)) {
        if (notches != 0) {
            zoom(notches > 0 ? 1 : -1);
        }
    } else if (m_grid.screen().alternate) {
        const auto mode = m_grid.screen().cursorKeys ? CursorKeys::Application : CursorKeys::Normal;
        const auto key = bytesOfKey(notches > 0 ? Qt::Key_Up : Qt::Key_Down, Qt::NoModifier, {}, mode);
        send(key.repeated(std::abs(notches) * kLinesPerNotch));
    } else {
        auto* bar = verticalScrollBar();
        bar->setValue(bar->value() - notches * kLinesPerNotch);
    }
    event->accept();
}

void TerminalView::contextMenuEvent(QContextMenuEvent* event) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    auto* copies = menu->addAction(tr("&Copy"), this, &TerminalView::copy);
    copies->setShortcut(Qt::CTRL | Qt::SHIFT | Qt::Key_C);
    copies->setEnabled(!m_selection.isEmpty());
    auto* pastes = menu->addAction(tr("&Paste"), this, &TerminalView::paste);
    pastes->setShortcut(Qt::CTRL | Qt::SHIFT | Qt::Key_V);
    pastes->setEnabled(m_live && !QApplication::clipboard()->text().isEmpty());
    menu->addAction(tr("Select &all"), this, &TerminalView::selectAll);
    menu->addSeparator();
    menu->addAction(tr("&Larger text"), this, [this] { zoom(1); })->setShortcut(Qt::CTRL | Qt::Key_Plus);
    menu->addAction(tr("&Smaller text"), this, [this] { zoom(-1); })->setShortcut(Qt::CTRL | Qt::Key_Minus);
    menu->addAction(tr("&Usual size"), this, [this] { zoom(0); })->setShortcut(Qt::CTRL | Qt::Key_0);
    menu->popup(event->globalPos());
}

} // namespace carrel::ui
