// SPDX-License-Identifier: Apache-2.0
// An item's blocks laid out at a width, and drawn. What is laid out stays as long as its block and the width do: where a text grows,
// its last piece is laid out alone. Owner: StoryDelegate. Thread: the window's.
#pragma once

#include "ui/tasks/story_blocks.h"

#include <QFont>
#include <QPalette>
#include <QTextLayout>

#include <memory>
#include <vector>

class QPainter;

namespace carrel::ui {

class StoryLayout {
public:
    // How many blocks had to be laid out.
    int lay(std::vector<StoryBlock> blocks, int width, const QFont& font);
    [[nodiscard]] int width() const { return m_width; }
    [[nodiscard]] const QFont& font() const { return m_font; }
    [[nodiscard]] int height() const { return m_height; }
    [[nodiscard]] int lineHeight() const { return m_lineHeight; }
    // `who`: the colour of whoever says it. Nothing outside `clip` is drawn.
    void draw(QPainter& painter, QPointF at, const QRectF& clip, const QPalette& palette, const QColor& who) const;

private:
    struct Piece {
        StoryBlock block;
        std::unique_ptr<QTextLayout> text; // null: one line, drawn as it is
        double left = 0;
        double top = 0;
        double height = 0;
        double padding = 0; // around the text, in a ground of its own
    };
    void layPiece(Piece& piece) const;
    void drawPiece(const Piece& piece, QPainter& painter, QPointF at, const QRectF& clip, const QPalette& palette, const QColor& who) const;
    void drawLine(const Piece& piece, QPainter& painter, QPointF at, const QPalette& palette, const QColor& who) const;
    [[nodiscard]] QFont fontOf(StoryBlock::Kind kind) const;

    std::vector<Piece> m_pieces;
    QFont m_font;
    int m_width = 0;
    int m_height = 0;
    int m_lineHeight = 0;
};

} // namespace carrel::ui
