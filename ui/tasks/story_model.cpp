// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_model.h"

#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

StoryModel::StoryModel(QObject* parent)
    : QAbstractListModel(parent) {}

int StoryModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

QVariant StoryModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) {
        return {};
    }
    const auto& item = at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return item.folds() ? item.line() : item.whole();
    case Qt::ToolTipRole:
        return item.folds() && !isOpened(index.row()) ? toolTipOf(item.line()) : QVariant();
    case Qt::AccessibleTextRole: {
        QStringList out{whoText(item) + QStringLiteral(": ") + (item.folds() && !isOpened(index.row()) ? item.line() : item.whole())};
        if (item.kind == StoryItem::Kind::Tool) {
            out << toolText(item.tool);
        }
        if (const auto how = statusText(item.status); !how.isEmpty()) {
            out << how;
        }
        if (item.folds()) {
            out << (isOpened(index.row()) ? tr("opened") : tr("folded; Enter opens it"));
        }
        return out.join(QStringLiteral(", "));
    }
    default:
        return {};
    }
}

void StoryModel::setOpened(int row, bool opened) {
    if (row < 0 || row >= rowCount() || !at(row).folds() || isOpened(row) == opened) {
        return;
    }
    if (opened) {
        m_opened.insert(at(row).number);
    } else {
        m_opened.remove(at(row).number);
    }
    m_rows[static_cast<std::size_t>(row)].revision = ++m_revisions;
    emit dataChanged(index(row), index(row));
    emit taken();
}

std::vector<StoryModel::Row>::iterator StoryModel::placeOf(std::uint64_t number) {
    return std::lower_bound(m_rows.begin(), m_rows.end(), number, [](const Row& each, std::uint64_t wanted) { return each.item.number < wanted; });
}

void StoryModel::take(std::vector<StoryItem> items) {
    // By number, the later one of two first, which stays.
    std::reverse(items.begin(), items.end());
    std::stable_sort(items.begin(), items.end(), [](const StoryItem& a, const StoryItem& b) { return a.number < b.number; });
    items.erase(std::unique(items.begin(), items.end(), [](const StoryItem& a, const StoryItem& b) { return a.number == b.number; }), items.end());

    std::vector<StoryItem> fresh;
    int first = -1;
    int last = -1;
    const auto tell = [&] {
        if (first >= 0) {
            emit dataChanged(index(first), index(last));
        }
    };
    for (auto& each : items) {
        const auto place = placeOf(each.number);
        if (place == m_rows.end() || place->item.number != each.number) {
            fresh.push_back(std::move(each));
            continue;
        }
        if (place->item == each) {
            continue;
        }
        const int row = static_cast<int>(place - m_rows.begin());
        *place = {std::move(each), ++m_revisions};
        if (row != last + 1 || first < 0) {
            tell();
            first = row;
        }
        last = row;
    }
    tell();
    // Mostly they all come at the end, and are one insertion.
    for (std::size_t at = 0; at < fresh.size();) {
        const auto place = placeOf(fresh[at].number);
        const auto row = place - m_rows.begin();
        std::size_t end = at + 1;
        while (end < fresh.size() && (place == m_rows.end() || fresh[end].number < place->item.number)) {
            ++end;
        }
        beginInsertRows({}, static_cast<int>(row), static_cast<int>(row + static_cast<std::ptrdiff_t>(end - at) - 1));
        std::vector<Row> rows;
        for (; at < end; ++at) {
            rows.push_back({std::move(fresh[at]), ++m_revisions});
        }
        m_rows.insert(m_rows.begin() + row, std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
        endInsertRows();
    }
    emit taken();
}

void StoryModel::clear() {
    beginResetModel();
    m_rows.clear();
    m_opened.clear();
    endResetModel();
    emit taken();
}

} // namespace carrel::ui
