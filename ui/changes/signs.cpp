// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/signs.h"

#include "ui/parts/tones.h"

#include <QHash>
#include <QPainter>
#include <QPainterPath>

namespace carrel::ui {

namespace {

constexpr int kSide = 16;
constexpr qreal kScale = 2; // sharp on screens of twice the points, too

Tone toneOf(Mark mark) {
    switch (mark) {
    case Mark::HighRisk:
        return Tone::Bad;
    case Mark::Conflict:
        return Tone::Warning;
    case Mark::New:
        return Tone::Added;
    case Mark::Deleted:
        return Tone::Removed;
    case Mark::Changed:
    case Mark::Renamed:
    case Mark::Other:
        break;
    }
    return Tone::Note;
}

void drawWarning(QPainter& painter) {
    QPainterPath shape;
    shape.moveTo(8, 1.5);
    shape.lineTo(15, 14.5);
    shape.lineTo(1, 14.5);
    shape.closeSubpath();
    painter.fillPath(shape, painter.pen().color());
}

QPixmap draw(Mark mark, const QColor& colour, const QColor& paper) {
    QPixmap out(QSize(kSide, kSide) * kScale);
    out.setDevicePixelRatio(kScale);
    out.fill(Qt::transparent);
    QPainter painter(&out);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colour, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    if (mark == Mark::HighRisk) {
        drawWarning(painter);
        painter.setPen(QPen(paper, 1.8, Qt::SolidLine, Qt::RoundCap));
        painter.drawLine(QPointF(8, 6), QPointF(8, 9.6));
        painter.drawPoint(QPointF(8, 12.3));
        return out;
    }
    if (mark == Mark::Conflict) { // two arrows against each other
        painter.drawLine(QPointF(1.5, 8), QPointF(6.5, 8));
        painter.drawPolyline(QPolygonF({{4, 5}, {7, 8}, {4, 11}}));
        painter.drawLine(QPointF(9.5, 8), QPointF(14.5, 8));
        painter.drawPolyline(QPolygonF({{12, 5}, {9, 8}, {12, 11}}));
        return out;
    }
    painter.setPen(QPen(colour, 1.2));
    painter.drawRoundedRect(QRectF(1.6, 1.6, 12.8, 12.8), 3, 3);
    painter.setPen(QPen(colour, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    switch (mark) {
    case Mark::New:
        painter.drawLine(QPointF(8, 5), QPointF(8, 11));
        painter.drawLine(QPointF(5, 8), QPointF(11, 8));
        break;
    case Mark::Deleted:
        painter.drawLine(QPointF(5, 8), QPointF(11, 8));
        break;
    case Mark::Renamed:
        painter.drawLine(QPointF(4.8, 8), QPointF(11, 8));
        painter.drawPolyline(QPolygonF({{8.6, 5.4}, {11.2, 8}, {8.6, 10.6}}));
        break;
    case Mark::Changed:
        painter.drawLine(QPointF(5.2, 10.8), QPointF(10.8, 5.2));
        break;
    default:
        painter.drawPoint(QPointF(8, 8));
        break;
    }
    return out;
}

} // namespace

QIcon markIcon(Mark mark, const QPalette& palette) {
    static QHash<QPair<int, QRgb>, QIcon> made;
    const auto colour = toneColour(toneOf(mark), palette);
    auto& icon = made[{static_cast<int>(mark), colour.rgb()}];
    if (icon.isNull()) {
        icon = QIcon(draw(mark, colour, palette.color(QPalette::Base)));
        icon.addPixmap(draw(mark, palette.color(QPalette::HighlightedText), palette.color(QPalette::Highlight)), QIcon::Selected);
    }
    return icon;
}

} // namespace carrel::ui
