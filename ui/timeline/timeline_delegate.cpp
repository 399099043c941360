// SPDX-License-Identifier: Apache-2.0
#include "ui/timeline/timeline_delegate.h"

#include "ui/parts/tones.h"
#include "ui/timeline/timeline_model.h"

#include <QPainter>
#include <QPainterPath>

namespace carrel::ui {

void TimelineDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
    QStyledItemDelegate::initStyleOption(option, index);
    const bool guest = index.data(TimelineModel::GuestRole).toBool();
    if (guest) {
        option->font.setItalic(true);
        option->palette.setColor(QPalette::Text, toneColour(Tone::Claim, option->palette));
        option->backgroundBrush = toneBackground(Tone::Claim, option->palette);
    }
    if (index.column() == TimelineModel::WhoSays) { // room for the sign
        option->text = QStringLiteral("      ") + option->text;
    }
}

void TimelineDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyledItemDelegate::paint(painter, option, index);
    if (index.column() != TimelineModel::WhoSays) {
        return;
    }
    const bool guest = index.data(TimelineModel::GuestRole).toBool();
    const double side = option.fontMetrics.height() * 0.7;
    const QRectF box(option.rect.left() + 6, option.rect.center().y() - side / 2 + 0.5, side, side);
    const bool selected = (option.state & QStyle::State_Selected) != 0;
    const auto colour = selected ? option.palette.color(QPalette::HighlightedText) : toneColour(guest ? Tone::Claim : Tone::Good, option.palette);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    if (guest) { // words in a bubble
        painter->setPen(QPen(colour, 1.5));
        QPainterPath bubble;
        bubble.addRoundedRect(box.adjusted(0, 0, 0, -side / 4), side / 4, side / 4);
        painter->drawPath(bubble);
        painter->drawLine(QPointF(box.left() + side / 3, box.bottom() - side / 4), QPointF(box.left() + side / 4, box.bottom()));
    } else { // an eye
        painter->setPen(QPen(colour, 1.5));
        QPainterPath eye;
        eye.moveTo(box.left(), box.center().y());
        eye.quadTo(box.center().x(), box.top() - side / 5, box.right(), box.center().y());
        eye.quadTo(box.center().x(), box.bottom() + side / 5, box.left(), box.center().y());
        painter->drawPath(eye);
        painter->setBrush(colour);
        painter->drawEllipse(box.center(), side / 6, side / 6);
    }
    painter->restore();
}

} // namespace carrel::ui
