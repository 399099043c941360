// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/flow_layout.h"

#include <algorithm>

namespace carrel::ui {

FlowLayout::FlowLayout(QWidget* parent)
    : QLayout(parent) {
    setContentsMargins(0, 0, 0, 0);
    setSpacing(6);
}

FlowLayout::~FlowLayout() {
    qDeleteAll(m_items);
}

QLayoutItem* FlowLayout::takeAt(int index) {
    return index >= 0 && index < m_items.size() ? m_items.takeAt(index) : nullptr;
}

int FlowLayout::heightForWidth(int width) const {
    return place(QRect(0, 0, width, 0), true);
}

QSize FlowLayout::sizeHint() const {
    QSize out;
    for (const auto* const each : m_items) {
        out.setWidth(out.width() + each->sizeHint().width() + spacing());
        out.setHeight(std::max(out.height(), each->sizeHint().height()));
    }
    return out;
}

QSize FlowLayout::minimumSize() const {
    QSize out;
    for (const auto* const each : m_items) {
        out = out.expandedTo(each->minimumSize());
    }
    return out;
}

void FlowLayout::setGeometry(const QRect& box) {
    QLayout::setGeometry(box);
    (void)place(box, false);
}

int FlowLayout::place(const QRect& box, bool only) const {
    int x = box.left();
    int y = box.top();
    int high = 0;
    for (auto* const each : m_items) {
        if (each->isEmpty()) {
            continue;
        }
        const auto size = QSize(std::min(each->sizeHint().width(), box.width()), each->sizeHint().height());
        if (x > box.left() && x + size.width() > box.right() + 1) {
            x = box.left();
            y += high + spacing();
            high = 0;
        }
        if (!only) {
            each->setGeometry(QRect(QPoint(x, y), size));
        }
        x += size.width() + spacing();
        high = std::max(high, size.height());
    }
    return y + high - box.top();
}

} // namespace carrel::ui
