// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agent_delegate.h"

#include "ui/agents/agents_model.h"
#include "ui/agents/state_sign.h"

#include <QApplication>
#include <QPainter>

namespace carrel::ui {

namespace {
constexpr int kMargin = 8;

// A globe: this agent has a network.
void paintNetwork(QPainter& painter, const QRectF& box, const QColor& colour) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colour, 1.3));
    painter.setBrush(Qt::NoBrush);
    painter.drawEllipse(box);
    painter.drawEllipse(box.center(), box.width() / 5, box.height() / 2);
    painter.drawLine(QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y()));
    painter.restore();
}
} // namespace

QSize AgentDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& /*index*/) const {
    return {160, 2 * option.fontMetrics.height() + 2 * kMargin};
}

void AgentDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyleOptionViewItem plain = option;
    initStyleOption(&plain, index);
    plain.text.clear();
    const auto* const style = option.widget != nullptr ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &plain, painter, option.widget); // background, selection, focus

    const bool selected = (option.state & QStyle::State_Selected) != 0;
    const auto group = (option.state & QStyle::State_Active) != 0 ? QPalette::Active : QPalette::Inactive;
    const auto text = option.palette.color(group, selected ? QPalette::HighlightedText : QPalette::Text);
    const int line = option.fontMetrics.height();
    const auto box = option.rect.adjusted(kMargin, kMargin, -kMargin, -kMargin);
    const double side = line * 0.8;
    auto palette = option.palette;
    if (selected) { // a sign keeps its contrast on the selection's colour
        palette.setColor(QPalette::Base, option.palette.color(group, QPalette::Highlight));
    }
    paintState(*painter, QRectF(box.left(), box.top() + (line - side) / 2, side, side),
               static_cast<AgentState>(index.data(AgentsModel::StateRole).toInt()), palette);
    const bool network = index.data(AgentsModel::NetworkRole).toBool();
    const auto words = box.adjusted(static_cast<int>(side) + kMargin, 0, network ? -static_cast<int>(side) - kMargin : 0, 0);
    if (network) {
        paintNetwork(*painter, QRectF(box.right() - side, box.top() + (line - side) / 2, side, side), text);
    }
    painter->save();
    painter->setPen(text);
    auto bold = option.font;
    bold.setBold(true);
    painter->setFont(bold);
    painter->drawText(QRect(words.left(), words.top(), words.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      QFontMetrics(bold).elidedText(index.data().toString(), Qt::ElideRight, words.width()));
    painter->setFont(option.font);
    auto quiet = text;
    quiet.setAlphaF(0.75F);
    painter->setPen(quiet);
    painter->drawText(QRect(words.left(), words.top() + line, words.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data(AgentsModel::StateTextRole).toString(), Qt::ElideRight, words.width()));
    painter->restore();
}

} // namespace carrel::ui
