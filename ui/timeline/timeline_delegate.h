// SPDX-License-Identifier: Apache-2.0
// An event in the list. What a guest says never looks like what the host saw (I9): a shape of its own, slanted letters, a colour, a
// bar along the row; and the word in its column. Thread: the window's.
#pragma once

#include <QStyledItemDelegate>

namespace carrel::ui {

class TimelineDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override;
};

} // namespace carrel::ui
