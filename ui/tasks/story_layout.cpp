// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_layout.h"

#include "ui/parts/tones.h"

#include <QFontDatabase>
#include <QFontMetricsF>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace carrel::ui {

using Kind = StoryBlock::Kind;

namespace {

constexpr double kGap = 6; // between blocks
constexpr double kCodePadding = 6;
constexpr double kColumnGap = 8;

bool isCode(Kind kind) {
    return kind == Kind::Code || kind == Kind::Added || kind == Kind::Removed;
}
bool isLine(Kind kind) {
    return kind == Kind::Who || kind == Kind::Fold;
}
QColor quiet(const QPalette& palette) {
    auto out = palette.color(QPalette::Text);
    out.setAlphaF(0.75F);
    return out;
}

} // namespace

QFont StoryLayout::fontOf(Kind kind) const {
    if (isCode(kind)) {
        auto fixed = QFontDatabase::systemFont(QFontDatabase::FixedFont);
        fixed.setPointSizeF(m_font.pointSizeF());
        return fixed;
    }
    auto out = m_font;
    out.setBold(kind == Kind::Who || kind == Kind::Label || kind == Kind::Open);
    return out;
}

int StoryLayout::lay(std::vector<StoryBlock> blocks, int width, const QFont& font) {
    if (width != m_width || font != m_font) {
        m_pieces.clear();
        m_width = width;
        m_font = font;
    }
    m_lineHeight = static_cast<int>(std::ceil(QFontMetricsF(font).height())) + 2;
    int laid = 0;
    double top = 0;
    m_pieces.resize(blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        auto& piece = m_pieces[i];
        if (piece.height == 0 || piece.block != blocks[i]) {
            piece = Piece{};
            piece.block = std::move(blocks[i]);
            layPiece(piece);
            ++laid;
        }
        const bool joins = i > 0 && (piece.block.goesOn || (isCode(piece.block.kind) && isCode(m_pieces[i - 1].block.kind)) ||
                                     (piece.block.kind == Kind::Entry && m_pieces[i - 1].block.kind == Kind::Entry));
        top += i == 0 ? 0 : joins ? (piece.block.kind == Kind::Entry && !piece.block.goesOn ? kGap / 3 : 0) : kGap;
        piece.top = top;
        top += piece.height;
    }
    m_height = static_cast<int>(std::ceil(top));
    return laid;
}

void StoryLayout::layPiece(Piece& piece) const {
    const auto& block = piece.block;
    if (isLine(block.kind)) {
        piece.height = m_lineHeight;
        return;
    }
    const QFontMetricsF metrics(m_font);
    piece.padding = isCode(block.kind) ? kCodePadding : 0;
    piece.left = piece.padding;
    if (block.kind == Kind::Entry) {
        piece.left = metrics.averageCharWidth() * (3.0 * block.depth + 1) + metrics.horizontalAdvance(QStringLiteral("00. "));
    }
    auto text = block.text;
    text.replace('\n', QChar(QChar::LineSeparator));
    piece.text = std::make_unique<QTextLayout>(text, fontOf(block.kind));
    piece.text->setCacheEnabled(true);
    QTextOption wrap;
    wrap.setWrapMode(isCode(block.kind) ? QTextOption::WrapAnywhere : QTextOption::WrapAtWordBoundaryOrAnywhere);
    wrap.setTabStopDistance(QFontMetricsF(fontOf(block.kind)).horizontalAdvance(QLatin1Char(' ')) * 4);
    wrap.setTextDirection(Qt::LeftToRight);
    piece.text->setTextOption(wrap);
    const double room = std::max(20.0, m_width - piece.left - piece.padding);
    double height = 0;
    piece.text->beginLayout();
    for (auto line = piece.text->createLine(); line.isValid(); line = piece.text->createLine()) {
        line.setLineWidth(room);
        line.setPosition({0, height});
        height += line.height();
    }
    piece.text->endLayout();
    piece.height = std::max(1.0, height + (block.goesOn ? 0 : piece.padding) + piece.padding);
}

void StoryLayout::draw(QPainter& painter, QPointF at, const QRectF& clip, const QPalette& palette, const QColor& who) const {
    for (const auto& piece : m_pieces) {
        const double top = at.y() + piece.top;
        if (top + piece.height >= clip.top() && top <= clip.bottom()) {
            drawPiece(piece, painter, {at.x(), top}, clip, palette, who);
        }
    }
}

void StoryLayout::drawPiece(const Piece& piece, QPainter& painter, QPointF at, const QRectF& clip, const QPalette& palette, const QColor& who) const {
    const auto& block = piece.block;
    if (isLine(block.kind)) {
        drawLine(piece, painter, at, palette, who);
        return;
    }
    auto ink = palette.color(QPalette::Text);
    if (isCode(block.kind)) {
        const auto ground = block.kind == Kind::Added     ? toneBackground(Tone::Added, palette)
                            : block.kind == Kind::Removed ? toneBackground(Tone::Removed, palette)
                                                          : palette.color(QPalette::AlternateBase);
        painter.fillRect(QRectF(at.x(), at.y(), m_width, piece.height), ground);
    } else if (block.kind == Kind::Label) {
        ink = quiet(palette);
    } else if (block.kind == Kind::Open) {
        ink = toneColour(Tone::Warning, palette);
    } else if (block.kind == Kind::Entry && !block.goesOn) {
        painter.setFont(m_font);
        painter.setPen(ink);
        const QFontMetricsF metrics(m_font);
        const QRectF mark(at.x(), at.y(), piece.left - metrics.averageCharWidth(), metrics.height());
        painter.drawText(mark, Qt::AlignRight | Qt::AlignVCenter, block.mark);
    }
    painter.setPen(ink);
    piece.text->draw(&painter, {at.x() + piece.left, at.y() + (block.goesOn ? 0 : piece.padding)}, {}, clip);
}

// One line, and what stands at its end.
void StoryLayout::drawLine(const Piece& piece, QPainter& painter, QPointF at, const QPalette& palette, const QColor& who) const {
    const auto& block = piece.block;
    QRectF room(at.x(), at.y(), m_width, piece.height);
    const auto end = fontOf(Kind::Paragraph);
    const bool failed = block.kind == Kind::Fold && block.more == statusText(StoryItem::Status::Failed);
    painter.setFont(end);
    painter.setPen(failed ? toneColour(Tone::Bad, palette) : quiet(palette));
    painter.drawText(room, Qt::AlignRight | Qt::AlignVCenter, block.more);
    room.setRight(room.right() - QFontMetricsF(end).horizontalAdvance(block.more) - kColumnGap);
    if (block.kind == Kind::Fold) {
        const double side = piece.height * 0.4; // a triangle that points to what it opens
        const QPointF middle(room.left() + side / 2, room.center().y());
        painter.save();
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setPen(Qt::NoPen);
        painter.setBrush(quiet(palette));
        const double half = side / 2;
        painter.drawPolygon(block.depth > 0 ? QPolygonF({middle + QPointF(-half, -half / 2), middle + QPointF(half, -half / 2), middle + QPointF(0, half)})
                                            : QPolygonF({middle + QPointF(-half / 2, -half), middle + QPointF(half, 0), middle + QPointF(-half / 2, half)}));
        painter.restore();
        room.setLeft(room.left() + side + kColumnGap);
        auto bold = m_font;
        bold.setBold(true);
        painter.setFont(bold);
        painter.setPen(who);
        const double sign = QFontMetricsF(bold).horizontalAdvance(QStringLiteral(">_")) + 2;
        painter.drawText(QRectF(room.left(), room.top(), sign, room.height()), Qt::AlignCenter, block.mark);
        room.setLeft(room.left() + sign + kColumnGap);
        painter.setFont(m_font);
        painter.setPen(palette.color(QPalette::Text));
        painter.drawText(room, Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(m_font).elidedText(block.text, Qt::ElideRight, room.width()));
        return;
    }
    const auto font = fontOf(Kind::Who);
    painter.setFont(font);
    painter.setPen(who);
    painter.drawText(room, Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(font).elidedText(block.text, Qt::ElideRight, room.width()));
}

} // namespace carrel::ui
