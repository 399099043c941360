// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/approval_delegate.h"

#include "ui/approvals/approvals_model.h"
#include "ui/parts/tones.h"

#include <QApplication>
#include <QPainter>
#include <QTextLayout>

namespace carrel::ui {

namespace {
constexpr int kMargin = 7;
constexpr int kLines = 3; // two of what is asked, one of how it stands
} // namespace

QSize ApprovalDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& /*index*/) const {
    return {200, kLines * option.fontMetrics.height() + 2 * kMargin};
}

void ApprovalDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyleOptionViewItem plain = option;
    initStyleOption(&plain, index);
    plain.text.clear();
    const auto* const style = option.widget != nullptr ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &plain, painter, option.widget);

    const bool selected = (option.state & QStyle::State_Selected) != 0;
    const auto group = (option.state & QStyle::State_Active) != 0 ? QPalette::Active : QPalette::Inactive;
    const auto text = option.palette.color(group, selected ? QPalette::HighlightedText : QPalette::Text);
    const bool open = index.data(ApprovalsModel::OpenRole).toBool();
    const bool high = index.data(ApprovalsModel::HighRole).toBool();
    auto box = option.rect.adjusted(kMargin, kMargin, -kMargin, -kMargin);
    const int line = option.fontMetrics.height();
    painter->save();
    if (open && high) {
        painter->fillRect(QRect(option.rect.left(), option.rect.top(), 4, option.rect.height()), toneColour(Tone::Bad, option.palette));
        box.adjust(4, 0, 0, 0);
    }
    auto font = option.font;
    font.setBold(open);
    painter->setFont(font);
    painter->setPen(text);
    // Two lines, broken between words where that is possible; what is longer ends in "…".
    QTextLayout layout((open && high ? QStringLiteral("⚠ ") : QString()) + index.data().toString(), font);
    QTextOption wrap;
    wrap.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    layout.setTextOption(wrap);
    layout.beginLayout();
    auto first = layout.createLine();
    first.setLineWidth(box.width());
    layout.endLayout();
    const QFontMetrics metrics(font);
    const auto& words = layout.text();
    const int cut = first.isValid() ? first.textLength() : 0;
    painter->drawText(QRect(box.left(), box.top(), box.width(), line), Qt::AlignLeft | Qt::AlignVCenter, words.left(cut).trimmed());
    painter->drawText(QRect(box.left(), box.top() + line, box.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      metrics.elidedText(words.mid(cut), Qt::ElideRight, box.width()));
    painter->setFont(option.font);
    auto quiet = text;
    quiet.setAlphaF(0.75F);
    painter->setPen(open && high && !selected ? toneColour(Tone::Bad, option.palette) : quiet);
    painter->drawText(QRect(box.left(), box.top() + 2 * line, box.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data(ApprovalsModel::SecondLineRole).toString(), Qt::ElideRight, box.width()));
    painter->restore();
}

} // namespace carrel::ui
