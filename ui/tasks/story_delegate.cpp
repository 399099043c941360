// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_delegate.h"

#include "ui/parts/tones.h"
#include "ui/tasks/story_model.h"

#include <QPainter>

#include <algorithm>

namespace carrel::ui {

namespace {

constexpr int kSide = 10;    // left and right of an item
constexpr int kBar = 4;      // the bar of claims
constexpr int kInner = 10;   // from the item's edge to its text
constexpr int kBetween = 3;  // above and below an item
constexpr int kPadding = 8;  // inside, above and below its text
constexpr int kTight = 2;    // of one line
constexpr int kMostKept = 400;

int paddingOf(const StoryItem& item) {
    return item.folds() ? kTight : kPadding;
}

int textWidth(int width) {
    return std::max(40, width - 2 * kSide - 2 * kInner);
}

// A round "i", as Carrel's messages have it.
void drawSign(QPainter& painter, const QRectF& box, const QPalette& palette, const QFont& font) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(toneColour(Tone::Note, palette));
    painter.drawEllipse(box);
    auto bold = font;
    bold.setBold(true);
    bold.setPixelSize(std::max(6, static_cast<int>(box.height() * 0.75)));
    painter.setFont(bold);
    painter.setPen(isDark(palette) ? Qt::black : Qt::white);
    painter.drawText(box, Qt::AlignCenter, QStringLiteral("i"));
}

} // namespace

StoryDelegate::StoryDelegate(const StoryModel& model, QObject* parent)
    : QStyledItemDelegate(parent)
    , m_model(model) {}

const StoryLayout& StoryDelegate::laid(int row, int width, const QFont& font) const {
    auto& kept = m_laid[m_model.at(row).number];
    if (!kept) {
        kept = std::make_shared<Laid>();
    }
    const int room = textWidth(width);
    if (kept->revision != m_model.revision(row) || kept->layout.width() != room || kept->layout.font() != font) {
        m_work.blocks += kept->layout.lay(itemBlocks(m_model.at(row), m_model.isOpened(row)), room, font);
        kept->revision = m_model.revision(row);
        ++m_work.items;
    }
    return kept->layout;
}

int StoryDelegate::height(int row, int width, const QFont& font) const {
    return laid(row, width, font).height() + 2 * paddingOf(m_model.at(row)) + 2 * kBetween;
}

int StoryDelegate::foldHeight(int row, int width, const QFont& font) const {
    return laid(row, width, font).lineHeight() + paddingOf(m_model.at(row)) + kBetween;
}

void StoryDelegate::keepOnly(int first, int last) const {
    if (m_laid.size() < kMostKept) {
        return;
    }
    QHash<std::uint64_t, std::shared_ptr<Laid>> near;
    for (int row = std::max(0, first); row <= last && row < m_model.rowCount(); ++row) {
        if (const auto at = m_laid.constFind(m_model.at(row).number); at != m_laid.constEnd()) {
            near.insert(at.key(), at.value());
        }
    }
    m_laid = std::move(near);
}

QSize StoryDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    return {option.rect.width(), height(index.row(), option.rect.width(), option.font)};
}

void StoryDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    const auto& item = m_model.at(index.row());
    const auto& palette = option.palette;
    const auto& layout = laid(index.row(), option.rect.width(), option.font);
    const auto box = option.rect.adjusted(kSide, kBetween, -kSide, -kBetween);
    painter->save();
    painter->setClipRect(option.rect, Qt::IntersectClip);
    painter->fillRect(option.rect, palette.color(QPalette::Base));
    painter->setRenderHint(QPainter::Antialiasing);
    auto who = palette.color(QPalette::Text);
    auto text = box.adjusted(kInner, paddingOf(item), -kInner, 0);
    if (item.isClaim()) {
        who = toneColour(Tone::Claim, palette);
        painter->fillRect(QRect(box.left(), box.top(), kBar, box.height()), who);
    } else if (item.kind == StoryItem::Kind::User) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(palette.color(QPalette::AlternateBase));
        painter->drawRoundedRect(box, 6, 6);
    } else {
        who = toneColour(Tone::Note, palette);
        painter->setPen(QPen(who, 1));
        painter->setBrush(toneBackground(Tone::Note, palette));
        painter->drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
    }
    painter->setBrush(Qt::NoBrush);
    layout.draw(*painter, text.topLeft(), painter->clipBoundingRect(), palette, who);
    if (item.kind == StoryItem::Kind::Note) { // after its name
        auto bold = option.font;
        bold.setBold(true);
        const double side = layout.lineHeight() * 0.75;
        const double left = text.left() + QFontMetricsF(bold).horizontalAdvance(whoText(item)) + 6;
        drawSign(*painter, QRectF(left, text.top() + (layout.lineHeight() - side) / 2, side, side), palette, option.font);
    }
    if ((option.state & QStyle::State_Selected) != 0) {
        painter->setPen(QPen(palette.color(QPalette::Highlight), 2));
        painter->setBrush(Qt::NoBrush);
        painter->drawRoundedRect(QRectF(box).adjusted(-3, 0, 3, 0), 6, 6);
    }
    painter->restore();
}

} // namespace carrel::ui
