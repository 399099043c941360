// SPDX-License-Identifier: Apache-2.0
// Draws a story's items: what the user said in a ground of its own, what Carrel says in a frame with its sign, and what is the
// agent's claim beside a bar of the colour of claims, with words that say so (invariant I9). Lays out what is asked for and keeps it
// while it is near. Thread: the window's.
#pragma once

#include "ui/tasks/story_layout.h"

#include <QHash>
#include <QStyledItemDelegate>

namespace carrel::ui {

class StoryModel;

class StoryDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    StoryDelegate(const StoryModel& model, QObject* parent);

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

    // Of a row at that width; laid out where it was not.
    [[nodiscard]] int height(int row, int width, const QFont& font) const;
    // What of a row that folds opens it when it is clicked: so many pixels from its top.
    [[nodiscard]] int foldHeight(int row, int width, const QFont& font) const;
    // Forgets what is laid out of all but these.
    void keepOnly(int first, int last) const;

    struct Work {
        int items = 0;  // laid out, some of each at least
        int blocks = 0; // of them
    };
    [[nodiscard]] Work work() const { return m_work; } // so far

private:
    struct Laid {
        StoryLayout layout;
        std::uint64_t revision = 0;
    };
    const StoryLayout& laid(int row, int width, const QFont& font) const;

    const StoryModel& m_model;
    mutable QHash<std::uint64_t, std::shared_ptr<Laid>> m_laid; // by the item's number
    mutable Work m_work;
};

} // namespace carrel::ui
