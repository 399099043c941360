// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_delegate.h"

#include "ui/changes/change_tree_model.h"
#include "ui/parts/tones.h"

#include <QApplication>
#include <QPainter>

namespace carrel::ui {

void ChangeDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
    QStyledItemDelegate::initStyleOption(option, index);
    option->textElideMode = index.column() == ChangeTreeModel::Name ? Qt::ElideMiddle : Qt::ElideRight;
}

void ChangeDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyledItemDelegate::paint(painter, option, index);
    if (index.column() != ChangeTreeModel::Name || !isDark(option.palette)) {
        return;
    }
    // Qt's own style outlines a box in a shade of the window, which is nearly that of a dark list.
    auto shown = option;
    initStyleOption(&shown, index);
    const auto* const style = shown.widget != nullptr ? shown.widget->style() : QApplication::style();
    const auto box = style->subElementRect(QStyle::SE_ItemViewItemCheckIndicator, &shown, shown.widget);
    auto colour = option.palette.color(QPalette::Text);
    colour.setAlphaF(0.55F);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(colour);
    painter->drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 2, 2);
    painter->restore();
}

} // namespace carrel::ui
