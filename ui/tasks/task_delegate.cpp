// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_delegate.h"

#include "ui/parts/tones.h"
#include "ui/tasks/task_store.h"

#include <QApplication>
#include <QPainter>

namespace carrel::ui {

namespace {

constexpr int kMargin = 7;

// A tick, a cross, a full dot for what works, "!" for what waits for somebody, an empty ring for what is to come.
void drawState(QPainter& painter, const QRectF& box, TaskState state, const QColor& colour) {
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colour, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.setBrush(Qt::NoBrush);
    const auto at = [&](double x, double y) { return QPointF(box.left() + x * box.width(), box.top() + y * box.height()); };
    switch (state) {
    case TaskState::Done:
        painter.drawPolyline(QPolygonF({at(0.1, 0.55), at(0.4, 0.85), at(0.95, 0.15)}));
        break;
    case TaskState::Failed:
        painter.drawLine(at(0.15, 0.15), at(0.85, 0.85));
        painter.drawLine(at(0.85, 0.15), at(0.15, 0.85));
        break;
    case TaskState::Cancelled:
        painter.drawRect(QRectF(at(0.18, 0.18), at(0.82, 0.82)));
        break;
    case TaskState::Working:
    case TaskState::Starting:
        painter.setBrush(colour);
        painter.drawEllipse(box.adjusted(1, 1, -1, -1));
        break;
    case TaskState::Waiting:
        painter.drawLine(at(0.5, 0.08), at(0.5, 0.6));
        painter.drawPoint(at(0.5, 0.92));
        break;
    default:
        painter.drawEllipse(box.adjusted(1, 1, -1, -1));
        break;
    }
}

QColor colourOf(TaskState state, const QPalette& palette) {
    switch (state) {
    case TaskState::Done:
        return toneColour(Tone::Good, palette);
    case TaskState::Failed:
        return toneColour(Tone::Bad, palette);
    case TaskState::Waiting:
        return toneColour(Tone::Warning, palette);
    case TaskState::Working:
    case TaskState::Starting:
        return toneColour(Tone::Note, palette);
    default:
        return palette.color(QPalette::Text);
    }
}

} // namespace

QSize TaskDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& /*index*/) const {
    return {160, 2 * option.fontMetrics.height() + 2 * kMargin};
}

void TaskDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyleOptionViewItem plain = option;
    initStyleOption(&plain, index);
    plain.text.clear();
    const auto* const style = option.widget != nullptr ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &plain, painter, option.widget);
    const bool selected = (option.state & QStyle::State_Selected) != 0;
    const auto group = (option.state & QStyle::State_Active) != 0 ? QPalette::Active : QPalette::Inactive;
    const auto text = option.palette.color(group, selected ? QPalette::HighlightedText : QPalette::Text);
    const auto state = static_cast<TaskState>(index.data(TaskStore::StateRole).toInt());
    auto box = option.rect.adjusted(kMargin, kMargin, -kMargin, -kMargin);
    const int line = option.fontMetrics.height();
    const auto colour = selected ? text : colourOf(state, option.palette);
    painter->save();
    const double side = line * 0.62;
    drawState(*painter, QRectF(box.left() + 1, box.top() + (line - side) / 2, side, side), state, colour);
    box.setLeft(box.left() + static_cast<int>(side) + 9);
    auto font = option.font;
    font.setBold(index.data(TaskStore::WaitsRole).toBool());
    painter->setFont(font);
    painter->setPen(text);
    painter->drawText(QRect(box.left(), box.top(), box.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      QFontMetrics(font).elidedText(index.data().toString(), Qt::ElideRight, box.width()));
    auto quiet = text;
    quiet.setAlphaF(0.75F);
    painter->setFont(option.font);
    painter->setPen(state == TaskState::Waiting || state == TaskState::Failed ? colour : quiet);
    painter->drawText(QRect(box.left(), box.top() + line, box.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data(TaskStore::StandsRole).toString(), Qt::ElideRight, box.width()));
    painter->restore();
}

} // namespace carrel::ui
