// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/table_model.h"

#include "ui/text/plain.h"

namespace carrel::ui {

QVariant TableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    switch (role) {
    case Qt::DisplayRole:
        return cell(index.row(), index.column());
    case Qt::ToolTipRole:
        return toolTipOf(tip(index.row(), index.column()));
    case Qt::AccessibleTextRole: // a cell alone says what it is
        return said(index.row(), index.column());
    case Qt::TextAlignmentRole:
        return alignment(index.column());
    default:
        return {};
    }
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= m_columns) {
        return {};
    }
    return role == Qt::DisplayRole ? QVariant(heading(section)) : role == Qt::TextAlignmentRole ? alignment(section) : QVariant();
}

QVariant TableModel::alignment(int column) const { // a heading stands over its column
    return int((isAmount(column) ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
}

} // namespace carrel::ui
