// SPDX-License-Identifier: Apache-2.0
// One agent in the list: its state's sign, its name, and what is to be said of it. Thread: the window's.
#pragma once

#include <QStyledItemDelegate>

namespace carrel::ui {

class AgentDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace carrel::ui
