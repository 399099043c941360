// SPDX-License-Identifier: Apache-2.0
// A terminal on the screen: paints a TerminalGrid, turns keys, pastes and the input method's text into bytes, selects and copies.
// What it paints is the guest's; it decides nothing. All keys are the program's but these:
//   Ctrl+Shift+C, Ctrl+Shift+V, Shift+Insert    copy, paste, paste what was selected last
//   Ctrl++, Ctrl+-, Ctrl+0                      larger, smaller, as it was
//   Shift+PageUp, Shift+PageDown, Shift+Home, Shift+End    through what left the screen
//   Ctrl+Tab, Ctrl+Shift+Tab                    to the next or former part of the window, so that no keyboard is caught
// Thread: the window's.
#pragma once

#include "ui/terminal/terminal_grid.h"
#include "ui/terminal/terminal_selection.h"

#include <QAbstractScrollArea>
#include <QBasicTimer>
#include <QElapsedTimer>
#include <QPointer>

#include <memory>
#include <utility>

namespace carrel::ui {

class PasteDialog;
class TerminalPainter;

class TerminalView : public QAbstractScrollArea {
    Q_OBJECT
public:
    explicit TerminalView(QWidget* parent = nullptr);
    ~TerminalView() override;

    void take(api::terminal::Frame&& frame);
    void clearAll();
    // Without: nothing is typed or pasted, and no cursor is shown; it can still be read, scrolled and copied.
    void setLive(bool live);
    // What is shown happened before: its cursor is shown, and nothing is typed.
    void setReplay(bool replay);
    // Letters as large as usual, or as much smaller as so many rows and columns need.
    void fit(std::uint16_t rows, std::uint16_t columns);

    [[nodiscard]] const TerminalGrid& grid() const { return m_grid; }
    // How many rows and columns fit, within terminal_wire.h's bounds.
    [[nodiscard]] std::pair<std::uint16_t, std::uint16_t> sizeInCells() const;
    [[nodiscard]] std::pair<std::uint16_t, std::uint16_t> sizeInCells(const QSize& widget) const; // if it were as large as that
    [[nodiscard]] QString selectedText() const { return m_selection.text(m_grid); }
    [[nodiscard]] bool hasSelection() const { return !m_selection.isEmpty(); }
    [[nodiscard]] std::int64_t topLine() const; // the first that is shown
    [[nodiscard]] double pointSize() const;
    [[nodiscard]] QRect cellRect(std::int64_t line, int column) const; // in the viewport
    [[nodiscard]] QVariant inputMethodQuery(Qt::InputMethodQuery query) const override;

public slots:
    void copy();
    void paste();        // of the clipboard
    void pasteSelected(); // of what was selected last, anywhere
    void selectAll();
    void zoom(int steps); // 0: as it was

signals:
    void typed(const QByteArray& bytes);
    void sizeChanged();
    void painted(qint64 ms); // how long it took

protected:
    bool event(QEvent* event) override;
    bool focusNextPrevChild(bool next) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void keyPressEvent(QKeyEvent* event) override;
    void inputMethodEvent(QInputMethodEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void timerEvent(QTimerEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    bool ownKey(const QKeyEvent& event);
    void pasteText(const QString& text);
    void send(const QByteArray& bytes);
    void updateScrollBar(const TerminalGrid::Change& change);
    void updateBlinking();
    void updateCursor();
    void measure();
    [[nodiscard]] std::pair<std::uint16_t, std::uint16_t> cellsIn(const QSize& room) const;
    [[nodiscard]] TerminalSpot spotAt(const QPoint& position, TerminalSelection::Unit unit) const;

    TerminalGrid m_grid;
    TerminalSelection m_selection;
    TerminalSelection::Unit m_unit = TerminalSelection::Unit::Character;
    std::unique_ptr<TerminalPainter> m_painter;
    QPointer<PasteDialog> m_pasting;
    QString m_composing; // by the input method, not sent yet
    QBasicTimer m_blink;
    QBasicTimer m_drag; // scrolls on while the mouse is held beyond an edge
    QElapsedTimer m_sinceDouble;
    QPoint m_doubleAt;
    QPoint m_dragAt;
    double m_usualPointSize = 0;
    int m_wheel = 0;
    bool m_selecting = false;
    bool m_live = false;
    bool m_replay = false;
    bool m_cursorShown = true; // of its blinking
};

} // namespace carrel::ui
