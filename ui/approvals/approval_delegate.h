// SPDX-License-Identifier: Apache-2.0
// A request in the list: what is asked, and how it stands. What waits is bold, what is of high risk has its sign. Thread: the window's.
#pragma once

#include <QStyledItemDelegate>

namespace carrel::ui {

class ApprovalDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace carrel::ui
