// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/credentials_model.h"

#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

namespace {

QString cell(const CredentialInfo& one, int column) {
    switch (column) {
    case CredentialsModel::Name:
        return lineOf(one.name, kWholeColumns);
    case CredentialsModel::Hosts:
        return hostsText(one);
    case CredentialsModel::Written:
        return writtenText(one);
    case CredentialsModel::Agents:
        return one.agents.empty() ? CredentialsModel::tr("any") : agentsText(one);
    case CredentialsModel::Kept:
        return keptText(one);
    case CredentialsModel::Used:
        return usedText(one);
    default:
        return {};
    }
}

} // namespace

CredentialsModel::CredentialsModel(QObject* parent)
    : QAbstractTableModel(parent) {}

int CredentialsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int CredentialsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

int CredentialsModel::rowOf(const std::string& name) const {
    const auto at = std::find_if(m_rows.begin(), m_rows.end(), [&](const CredentialInfo& each) { return each.name == name; });
    return at == m_rows.end() ? -1 : static_cast<int>(at - m_rows.begin());
}

QVariant CredentialsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& one = m_rows.at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return cell(one, index.column());
    case Qt::ToolTipRole:
        return toolTipOf(cell(one, index.column()));
    case Qt::AccessibleTextRole: // a cell alone says what it is
        return QString(headerData(index.column(), Qt::Horizontal, Qt::DisplayRole).toString() + ": " + cell(one, index.column()));
    default:
        return {};
    }
}

QVariant CredentialsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation == Qt::Horizontal && role == Qt::TextAlignmentRole) {
        return int(Qt::AlignLeft | Qt::AlignVCenter);
    }
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Name:
        return tr("Name");
    case Hosts:
        return tr("Goes to");
    case Written:
        return tr("Sent as");
    case Agents:
        return tr("Agents");
    case Kept:
        return tr("Kept in");
    case Used:
        return tr("Last used");
    default:
        return {};
    }
}

void CredentialsModel::take(const QVector<CredentialInfo>& now) {
    for (int row = rowCount() - 1; row >= 0; --row) {
        if (std::none_of(now.begin(), now.end(), [&](const auto& each) { return each.name == m_rows.at(row).name; })) {
            beginRemoveRows({}, row, row);
            m_rows.remove(row);
            endRemoveRows();
        }
    }
    for (const auto& one : now) {
        const int row = rowOf(one.name);
        if (row < 0) {
            beginInsertRows({}, rowCount(), rowCount());
            m_rows.push_back(one);
            endInsertRows();
        } else if (m_rows.at(row) != one) {
            m_rows[row] = one;
            emit dataChanged(index(row, 0), index(row, Columns - 1));
        }
    }
}

} // namespace carrel::ui
