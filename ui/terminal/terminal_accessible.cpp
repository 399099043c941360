// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_accessible.h"

#include "ui/terminal/terminal_view.h"

#include <QAccessibleWidget>

#include <algorithm>

namespace carrel::ui {

namespace {

// Every row of the screen is as long as the screen is wide, and ends with a line end: places are then a division.
class TerminalAccessible : public QAccessibleWidget, public QAccessibleTextInterface {
public:
    explicit TerminalAccessible(TerminalView* view)
        : QAccessibleWidget(view, QAccessible::Terminal) {}

    void* interface_cast(QAccessible::InterfaceType type) override {
        return type == QAccessible::TextInterface ? static_cast<QAccessibleTextInterface*>(this) : QAccessibleWidget::interface_cast(type);
    }

    using QAccessibleWidget::text; // of its name and description
    void selection(int /*index*/, int* start, int* end) const override { *start = *end = 0; }
    [[nodiscard]] int selectionCount() const override { return 0; }
    void addSelection(int /*start*/, int /*end*/) override {}
    void removeSelection(int /*index*/) override {}
    void setSelection(int /*index*/, int /*start*/, int /*end*/) override {}

    [[nodiscard]] int cursorPosition() const override {
        const auto& screen = grid().screen();
        return place(screen.cursorRow, screen.cursorColumn);
    }
    void setCursorPosition(int /*position*/) override {}
    [[nodiscard]] QString text(int start, int end) const override { return whole().mid(start, std::max(end - start, 0)); }
    [[nodiscard]] int characterCount() const override { return static_cast<int>(whole().size()); }
    [[nodiscard]] QRect characterRect(int offset) const override {
        const int row = static_cast<int>(whole().left(offset).count('\n'));
        const int column = offset - static_cast<int>(whole().left(offset).lastIndexOf('\n')) - 1;
        const auto rect = view()->cellRect(grid().screenTop() + row, column);
        return {view()->viewport()->mapToGlobal(rect.topLeft()), rect.size()};
    }
    [[nodiscard]] int offsetAtPoint(const QPoint& point) const override {
        const auto at = view()->viewport()->mapFromGlobal(point);
        const auto cell = view()->cellRect(grid().screenTop(), 0);
        const int row = (at.y() - cell.y()) / std::max(cell.height(), 1);
        const int column = (at.x() - cell.x()) / std::max(cell.width(), 1);
        return row < 0 || row >= grid().screen().rows || column < 0 || column >= grid().screen().columns ? -1 : place(row, column);
    }
    void scrollToSubstring(int /*start*/, int /*end*/) override {}
    [[nodiscard]] QString attributes(int offset, int* start, int* end) const override {
        *start = *end = offset;
        return {};
    }

private:
    [[nodiscard]] TerminalView* view() const { return static_cast<TerminalView*>(widget()); }
    [[nodiscard]] const TerminalGrid& grid() const { return view()->grid(); }
    [[nodiscard]] QString rowText(int row, int columns) const { return textOf(grid().line(grid().screenTop() + row), 0, columns); }
    [[nodiscard]] int place(int row, int column) const {
        int out = 0;
        for (int each = 0; each < row; ++each) {
            out += static_cast<int>(rowText(each, grid().screen().columns).size()) + 1;
        }
        return out + static_cast<int>(rowText(row, column).size());
    }
    [[nodiscard]] QString whole() const {
        QString out;
        for (int row = 0; row < grid().screen().rows; ++row) {
            out += rowText(row, grid().screen().columns) + '\n';
        }
        return out;
    }
};

} // namespace

QAccessibleInterface* terminalAccessible(const QString& /*className*/, QObject* object) {
    auto* view = qobject_cast<TerminalView*>(object);
    return view == nullptr ? nullptr : new TerminalAccessible(view);
}

} // namespace carrel::ui
