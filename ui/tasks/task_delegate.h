// SPDX-License-Identifier: Apache-2.0
// Draws a task in the list: its title, and below it how it stands, with a sign of its state. Thread: the window's.
#pragma once

#include <QStyledItemDelegate>

namespace carrel::ui {

class TaskDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace carrel::ui
