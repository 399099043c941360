// SPDX-License-Identifier: Apache-2.0
// Frames and blocks (Unicode, "Box Drawing" and "Block Elements"), so that they join whatever the font.
#include "ui/terminal/terminal_painter.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <array>
#include <string_view>

namespace carrel::ui {

namespace {

constexpr char32_t kFirstFrame = 0x2500;
constexpr char32_t kFirstArc = 0x256d;
constexpr char32_t kLastArc = 0x2570;
constexpr char32_t kFirstBlock = 0x2580;
constexpr char32_t kLastBlock = 0x259f;

// The arms of U+2500 to U+257F, four letters each: left, right, up, down; "." none, "-" light, "=" heavy, "d" double. "x": no
// straight line: arcs are drawn below, dashes and diagonals are the font's.
constexpr std::string_view kArms = "--.. ==.. ..-- ..== xxxx xxxx xxxx xxxx xxxx xxxx xxxx xxxx "
                                   ".-.- .=.- .-.= .=.= -..- =..- -..= =..= .--. .=-. .-=. .==. -.-. =.-. -.=. =.=. "
                                   ".--- .=-- .-=- .--= .-== .==- .=-= .=== -.-- =.-- -.=- -.-= -.== =.=- =.-= =.== "
                                   "--.- =-.- -=.- ==.- --.= =-.= -=.= ==.= ---. =--. -=-. ==-. --=. =-=. -==. ===. "
                                   "---- =--- -=-- ==-- --=- ---= --== =-=- -==- =--= -=-= ===- ==-= =-== -=== ==== "
                                   "xxxx xxxx xxxx xxxx "
                                   "dd.. ..dd .d.- .-.d .d.d d..- -..d d..d .d-. .-d. .dd. d.-. -.d. d.d. "
                                   ".d-- .-dd .ddd d.-- -.dd d.dd dd.- --.d dd.d dd-. --d. ddd. dd-- --dd dddd "
                                   "xxxx xxxx xxxx xxxx xxxx xxxx xxxx "
                                   "-... ..-. .-.. ...- =... ..=. .=.. ...= -=.. ..-= =-.. ..=- ";
constexpr std::size_t kEach = 5;
static_assert(kArms.size() == kEach * 128);

struct Weights {
    int light;
    int heavy;
};

int widthOf(char arm, Weights weights) {
    return arm == '=' ? weights.heavy : arm == 'd' ? 3 * weights.light : weights.light;
}

// Single lines, light and heavy. Each arm goes from its edge to beyond the middle, as far as what crosses it is thick.
void paintArms(QPainter& painter, const QRect& cell, std::string_view arms, Weights weights, const QColor& colour) {
    const int across = std::max(arms[2] == '.' ? 0 : widthOf(arms[2], weights), arms[3] == '.' ? 0 : widthOf(arms[3], weights));
    const int along = std::max(arms[0] == '.' ? 0 : widthOf(arms[0], weights), arms[1] == '.' ? 0 : widthOf(arms[1], weights));
    const int x = cell.x() + cell.width() / 2;
    const int y = cell.y() + cell.height() / 2;
    const int right = cell.x() + cell.width();
    const int bottom = cell.y() + cell.height();
    const auto from = [](int middle, int width) { return middle - width / 2; };
    if (arms[0] != '.') {
        const int width = widthOf(arms[0], weights);
        painter.fillRect(cell.x(), from(y, width), from(x, across) + across - cell.x(), width, colour);
    }
    if (arms[1] != '.') {
        const int width = widthOf(arms[1], weights);
        painter.fillRect(from(x, across), from(y, width), right - from(x, across), width, colour);
    }
    if (arms[2] != '.') {
        const int width = widthOf(arms[2], weights);
        painter.fillRect(from(x, width), cell.y(), width, from(y, along) + along - cell.y(), colour);
    }
    if (arms[3] != '.') {
        const int width = widthOf(arms[3], weights);
        painter.fillRect(from(x, width), from(y, along), width, bottom - from(y, along), colour);
    }
}

// Where a line is double: first all of it three times as thick, then its inside taken out again, so that what crosses stays open.
void paintDouble(QPainter& painter, const QRect& cell, std::string_view arms, int light, const QColor& colour) {
    QRegion region;
    const int x = cell.x() + cell.width() / 2;
    const int y = cell.y() + cell.height() / 2;
    const int right = cell.x() + cell.width();
    const int bottom = cell.y() + cell.height();
    const auto half = [&](char arm) { return arm == 'd' ? light + light / 2 : light / 2; };
    const auto thick = [&](char arm) { return arm == 'd' ? 3 * light : light; };
    const int across = std::max(half(arms[2]) * (arms[2] != '.'), half(arms[3]) * (arms[3] != '.'));
    const int along = std::max(half(arms[0]) * (arms[0] != '.'), half(arms[1]) * (arms[1] != '.'));
    const int acrossEnd = across + (across > light / 2 || arms[2] != '.' || arms[3] != '.' ? light - light / 2 : 0);
    const int alongEnd = along + (along > light / 2 || arms[0] != '.' || arms[1] != '.' ? light - light / 2 : 0);
    const auto horizontal = [&](char arm, int fromX, int toX) {
        region += QRect(fromX, y - half(arm), toX - fromX, thick(arm));
    };
    const auto vertical = [&](char arm, int fromY, int toY) {
        region += QRect(x - half(arm), fromY, thick(arm), toY - fromY);
    };
    if (arms[0] != '.') {
        horizontal(arms[0], cell.x(), x + acrossEnd);
    }
    if (arms[1] != '.') {
        horizontal(arms[1], x - across, right);
    }
    if (arms[2] != '.') {
        vertical(arms[2], cell.y(), y + alongEnd);
    }
    if (arms[3] != '.') {
        vertical(arms[3], y - along, bottom);
    }
    QRegion inside;
    if (arms[0] == 'd') {
        inside += QRect(cell.x(), y - light / 2, x - cell.x(), light); // what goes on to the right begins there
    }
    if (arms[1] == 'd') {
        inside += QRect(x - light / 2, y - light / 2, right - x + light / 2, light);
    }
    if (arms[2] == 'd') {
        inside += QRect(x - light / 2, cell.y(), light, y + light - light / 2 - cell.y());
    }
    if (arms[3] == 'd') {
        inside += QRect(x - light / 2, y - light / 2, light, bottom - y + light / 2);
    }
    // A single line through a double one is not cut.
    const bool singleUp = arms[2] == '-';
    const bool singleDown = arms[3] == '-';
    const bool singleLeft = arms[0] == '-';
    const bool singleRight = arms[1] == '-';
    region -= inside;
    if (singleUp && singleDown) {
        region += QRect(x - light / 2, cell.y(), light, cell.height());
    }
    if (singleLeft && singleRight) {
        region += QRect(cell.x(), y - light / 2, cell.width(), light);
    }
    for (const QRect& piece : region & QRegion(cell)) {
        painter.fillRect(piece, colour);
    }
}

// Where rounded corners lead, U+256D to U+2570: to the right or left, down or up.
void paintArc(QPainter& painter, const QRect& cell, char32_t point, int light, const QColor& colour) {
    const bool right = point == 0x256d || point == 0x2570;
    const bool down = point == 0x256d || point == 0x256e;
    const double half = light % 2 == 0 ? 0 : 0.5; // where the straight lines have their middle
    const QPointF middle(cell.x() + cell.width() / 2 + half, cell.y() + cell.height() / 2 + half);
    const double radius = cell.width() / 2.0;
    const double endX = right ? cell.x() + cell.width() : cell.x();
    const double endY = down ? cell.y() + cell.height() : cell.y();
    const double turn = middle.y() + (down ? radius : -radius);
    QPainterPath path({endX, middle.y()});
    path.lineTo(middle.x() + (right ? radius : -radius), middle.y());
    path.quadTo(middle, {middle.x(), turn});
    path.lineTo(middle.x(), endY);
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colour, light, Qt::SolidLine, Qt::FlatCap));
    painter.drawPath(path);
    painter.restore();
}

// In eighths of the cell: x, y, width, height.
struct Part {
    int x;
    int y;
    int width;
    int height;
};

void fillPart(QPainter& painter, const QRect& cell, Part part, const QColor& colour) {
    const auto at = [](int from, int size, int eighths) { return from + size * eighths / 8; };
    const int left = at(cell.x(), cell.width(), part.x);
    const int top = at(cell.y(), cell.height(), part.y);
    painter.fillRect(left, top, at(cell.x(), cell.width(), part.x + part.width) - left,
                     at(cell.y(), cell.height(), part.y + part.height) - top, colour);
}

void paintBlock(QPainter& painter, const QRect& cell, char32_t point, const QColor& colour) {
    const int number = static_cast<int>(point - kFirstBlock);
    if (number == 0x00) {
        fillPart(painter, cell, {0, 0, 8, 4}, colour);
    } else if (number <= 0x08) { // from below
        fillPart(painter, cell, {0, 8 - number, 8, number}, colour);
    } else if (number <= 0x0f) { // from the left
        fillPart(painter, cell, {0, 0, 0x10 - number, 8}, colour);
    } else if (number == 0x10) {
        fillPart(painter, cell, {4, 0, 4, 8}, colour);
    } else if (number <= 0x13) { // shades
        auto shade = colour;
        shade.setAlphaF(0.25F * static_cast<float>(number - 0x10));
        painter.fillRect(cell, shade);
    } else if (number == 0x14) {
        fillPart(painter, cell, {0, 0, 8, 1}, colour);
    } else if (number == 0x15) {
        fillPart(painter, cell, {7, 0, 1, 8}, colour);
    } else { // quarters: bit 0 upper left, 1 upper right, 2 lower left, 3 lower right
        constexpr std::array<int, 10> kQuarters{4, 8, 1, 13, 9, 7, 11, 2, 6, 14};
        const int set = kQuarters[static_cast<std::size_t>(number - 0x16)];
        for (int quarter = 0; quarter < 4; ++quarter) {
            if ((set >> quarter & 1) != 0) {
                fillPart(painter, cell, {quarter % 2 * 4, quarter / 2 * 4, 4, 4}, colour);
            }
        }
    }
}

} // namespace

bool paintShape(QPainter& painter, const QRect& cell, char32_t point, const QColor& colour) {
    if (point < kFirstFrame || point > kLastBlock) {
        return false;
    }
    if (point >= kFirstBlock) {
        paintBlock(painter, cell, point, colour);
        return true;
    }
    const int light = std::max(1, cell.height() / 14);
    if (point >= kFirstArc && point <= kLastArc) {
        paintArc(painter, cell, point, light, colour);
        return true;
    }
    const auto arms = kArms.substr((point - kFirstFrame) * kEach, kEach - 1);
    if (arms[0] == 'x') {
        return false;
    }
    if (arms.find('d') != std::string_view::npos) {
        paintDouble(painter, cell, arms, light, colour);
    } else {
        paintArms(painter, cell, arms, {light, std::max(light + 1, light * 2)}, colour);
    }
    return true;
}

} // namespace carrel::ui
