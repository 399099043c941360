// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/approval_delegate.h"

#include "ui/approvals/approvals_model.h"
#include "ui/parts/tones.h"

#include <QApplication>
#include <QPainter>

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
    const QRect above(box.left(), box.top(), box.width(), 2 * line);
    // Two lines at most, the second cut where it is longer.
    const QFontMetrics metrics(font);
    QString words = (open && high ? QStringLiteral("⚠ ") : QString()) + index.data().toString();
    if (metrics.horizontalAdvance(words) > 2 * above.width() * 9 / 10) {
        words = metrics.elidedText(words, Qt::ElideRight, 2 * above.width() * 9 / 10);
    }
    painter->drawText(above, Qt::AlignLeft | Qt::AlignTop | Qt::TextWrapAnywhere | Qt::TextWordWrap, words);
    painter->setFont(option.font);
    auto quiet = text;
    quiet.setAlphaF(0.75F);
    painter->setPen(open && high && !selected ? toneColour(Tone::Bad, option.palette) : quiet);
    painter->drawText(QRect(box.left(), box.top() + 2 * line, box.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data(ApprovalsModel::SecondLineRole).toString(), Qt::ElideRight, box.width()));
    painter->restore();
}

} // namespace carrel::ui
