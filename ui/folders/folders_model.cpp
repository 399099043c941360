// SPDX-License-Identifier: Apache-2.0
#include "ui/folders/folders_model.h"

#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

FoldersModel::FoldersModel(AgentStore& store, const QString& agent, QObject* parent)
    : QAbstractTableModel(parent)
    , m_store(store)
    , m_agent(agent) {
    connect(&store, &AgentStore::changed, this, &FoldersModel::update);
    update();
}

int FoldersModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int FoldersModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

namespace {

QString stateOf(const ShareInfo& share) {
    if (share.revoked) {
        return FoldersModel::tr("Access taken away");
    }
    if (!share.trouble.empty()) {
        return FoldersModel::tr("Not in the machine. It says: %1").arg(lineOf(share.trouble));
    }
    return FoldersModel::tr("Shared");
}

QString cell(const ShareInfo& share, int column) {
    switch (column) {
    case FoldersModel::Folder:
        return lineOf(share.directory);
    case FoldersModel::InMachine:
        return QStringLiteral("/workspace/") + lineOf(share.name, 120);
    case FoldersModel::Mode:
        return modeText(share.mode);
    case FoldersModel::Waiting:
        return share.staged ? QString::number(*share.staged) : FoldersModel::tr("not known");
    case FoldersModel::State:
        return stateOf(share);
    default:
        return {};
    }
}

} // namespace

QVariant FoldersModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& share = m_rows.at(index.row());
    if (role == Qt::DisplayRole) {
        return cell(share, index.column());
    }
    if (role == Qt::ToolTipRole) {
        return toolTipOf(index.column() == Mode ? modeExplained(share.mode) : cell(share, index.column()));
    }
    if (role == Qt::TextAlignmentRole && index.column() == Waiting) {
        return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    }
    return {};
}

QVariant FoldersModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Folder:
        return tr("Folder");
    case InMachine:
        return tr("In the machine");
    case Mode:
        return tr("Changes");
    case Waiting:
        return tr("Waiting");
    case State:
        return tr("State");
    default:
        return {};
    }
}

// Folders come to the end and go one by one, and few there are.
void FoldersModel::update() {
    const auto* const agent = m_store.find(m_agent);
    const QVector<ShareInfo> now = agent != nullptr ? agent->shares : QVector<ShareInfo>();
    for (int row = static_cast<int>(m_rows.size()) - 1; row >= 0; --row) {
        const auto& name = m_rows.at(row).name;
        if (std::none_of(now.begin(), now.end(), [&](const ShareInfo& each) { return each.name == name; })) {
            beginRemoveRows({}, row, row);
            m_rows.remove(row);
            endRemoveRows();
        }
    }
    for (const auto& share : now) {
        const auto found = std::find_if(m_rows.begin(), m_rows.end(), [&](const ShareInfo& each) { return each.name == share.name; });
        if (found == m_rows.end()) {
            const int row = static_cast<int>(m_rows.size());
            beginInsertRows({}, row, row);
            m_rows.push_back(share);
            endInsertRows();
        } else if (*found != share) {
            *found = share;
            const int row = static_cast<int>(found - m_rows.begin());
            emit dataChanged(index(row, 0), index(row, Columns - 1));
        }
    }
}

} // namespace carrel::ui
