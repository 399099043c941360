// SPDX-License-Identifier: Apache-2.0
// Small widgets one beside the other, and below where a line is full; as wide as each wants to be. Thread: the window's.
#pragma once

#include <QLayout>
#include <QList>

namespace carrel::ui {

class FlowLayout : public QLayout {
public:
    explicit FlowLayout(QWidget* parent);
    ~FlowLayout() override;

    void addItem(QLayoutItem* item) override { m_items.append(item); }
    [[nodiscard]] int count() const override { return static_cast<int>(m_items.size()); }
    [[nodiscard]] QLayoutItem* itemAt(int index) const override { return m_items.value(index); }
    QLayoutItem* takeAt(int index) override;
    [[nodiscard]] Qt::Orientations expandingDirections() const override { return {}; }
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSize() const override;
    void setGeometry(const QRect& box) override;

private:
    int place(const QRect& box, bool only) const; // `only` to know the height

    QList<QLayoutItem*> m_items;
};

} // namespace carrel::ui
