// SPDX-License-Identifier: Apache-2.0
// The story of a task as rows, in the order of its items' numbers. What comes is taken in batches: however many items a batch has, a
// view hears of few changes. Which ones are opened is kept here. Thread: the window's.
#pragma once

#include "ui/tasks/story_item.h"

#include <QAbstractListModel>
#include <QSet>

#include <vector>

namespace carrel::ui {

class StoryModel : public QAbstractListModel {
    Q_OBJECT
public:
    explicit StoryModel(QObject* parent);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

    [[nodiscard]] const StoryItem& at(int row) const { return m_rows[static_cast<std::size_t>(row)].item; }
    // Goes up whenever the item is another, or is opened or folded; never the same for two items.
    [[nodiscard]] std::uint64_t revision(int row) const { return m_rows[static_cast<std::size_t>(row)].revision; }
    [[nodiscard]] bool isOpened(int row) const { return m_opened.contains(at(row).number); }
    void setOpened(int row, bool opened);

    // Those that are known are taken the place of; of two with one number the later counts.
    void take(std::vector<StoryItem> items);
    void clear();

signals:
    void taken(); // after all that a batch changed

private:
    struct Row {
        StoryItem item;
        std::uint64_t revision = 0;
    };
    [[nodiscard]] std::vector<Row>::iterator placeOf(std::uint64_t number);

    std::vector<Row> m_rows;
    QSet<std::uint64_t> m_opened;
    std::uint64_t m_revisions = 0;
};

} // namespace carrel::ui
