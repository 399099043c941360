// SPDX-License-Identifier: Apache-2.0
// Rows of ChangeTreeModel: a name is cut in its middle, as its beginning and its ending both count, all else at its end; and a box
// can be seen on a dark background, too. Thread: the window's.
#pragma once

#include <QStyledItemDelegate>

namespace carrel::ui {

class ChangeDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override;
};

} // namespace carrel::ui
