// SPDX-License-Identifier: Apache-2.0
// How ChangeTreeModel's rows are found and shown.
#include "ui/changes/change_tree_model.h"

#include "ui/changes/change_tree_node.h"
#include "ui/changes/signs.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QApplication>
#include <QStyle>

namespace carrel::ui {

ChangeTreeModel::Node* ChangeTreeModel::nodeAt(const QModelIndex& index) const {
    return index.isValid() ? static_cast<Node*>(index.internalPointer()) : m_root.get();
}

QModelIndex ChangeTreeModel::indexOf(const Node& node, int column) const {
    return &node == m_root.get() ? QModelIndex() : createIndex(node.row, column, &node);
}

QModelIndex ChangeTreeModel::index(int row, int column, const QModelIndex& above) const {
    if (!hasIndex(row, column, above)) {
        return {};
    }
    return indexOf(*nodeAt(above)->shown[static_cast<std::size_t>(row)], column);
}

QModelIndex ChangeTreeModel::parent(const QModelIndex& child) const {
    return child.isValid() ? indexOf(*nodeAt(child)->above, 0) : QModelIndex();
}

int ChangeTreeModel::rowCount(const QModelIndex& above) const {
    return above.column() > 0 ? 0 : static_cast<int>(nodeAt(above)->shown.size());
}

int ChangeTreeModel::columnCount(const QModelIndex& /*parent*/) const {
    return Columns;
}

Qt::ItemFlags ChangeTreeModel::flags(const QModelIndex& index) const {
    auto out = QAbstractItemModel::flags(index);
    if (index.isValid() && index.column() == Name && !m_flat) {
        out |= Qt::ItemIsUserCheckable;
    }
    return out;
}

QVariant ChangeTreeModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) {
        return {};
    }
    if (role == Qt::TextAlignmentRole && section == Size) {
        return int(Qt::AlignRight | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Name:
        return tr("Name");
    case What:
        return tr("Change");
    case Size:
        return tr("Size");
    case Signs:
        return tr("Look out");
    default:
        return {};
    }
}

namespace {

Mark markOf(ChangeKind kind) {
    switch (kind) {
    case ChangeKind::Created:
        return Mark::New;
    case ChangeKind::Modified:
        return Mark::Changed;
    case ChangeKind::Deleted:
        return Mark::Deleted;
    case ChangeKind::Renamed:
        return Mark::Renamed;
    default:
        return Mark::Other;
    }
}

} // namespace

QVariant ChangeTreeModel::nameData(const Node& node, int role) const {
    const bool folder = node.entry == nullptr || node.entry->type == ChangeType::Directory;
    switch (role) {
    case Qt::DisplayRole:
        return node.name;
    case Qt::CheckStateRole:
        return static_cast<int>(node.state());
    case Qt::DecorationRole:
        return QApplication::style()->standardIcon(folder                                       ? QStyle::SP_DirIcon
                                                   : node.entry->type == ChangeType::Symlink ? QStyle::SP_FileLinkIcon
                                                                                             : QStyle::SP_FileIcon);
    case Qt::ToolTipRole:
        return toolTipOf(lineOf(node.path(), kWholeColumns));
    case Qt::AccessibleTextRole:
        return described(node);
    default:
        return {};
    }
}

QVariant ChangeTreeModel::whatData(const Node& node, int role) const {
    if (node.entry == nullptr) {
        return {};
    }
    switch (role) {
    case Qt::DisplayRole:
        return kindText(*node.entry);
    case Qt::DecorationRole:
        return markIcon(markOf(node.entry->kind), QApplication::palette());
    case Qt::ToolTipRole:
        return toolTipOf(kindSentence(*node.entry));
    default:
        return {};
    }
}

// Of a folder: what is in it, so that nothing is overlooked because it is folded.
QVariant ChangeTreeModel::signsData(const Node& node, int role) const {
    const auto risky = static_cast<int>(node.risky);
    const auto conflicts = static_cast<int>(node.conflicts);
    if (risky == 0 && conflicts == 0) {
        return {};
    }
    switch (role) {
    case Qt::DisplayRole: {
        const bool single = node.entry != nullptr && node.beneath.empty();
        QStringList out;
        if (risky > 0) {
            out << (single ? tr("High risk") : tr("%n high risk", nullptr, risky));
        }
        if (conflicts > 0) {
            out << (single ? tr("Conflict") : tr("%n conflict(s)", nullptr, conflicts));
        }
        return out.join(QStringLiteral(", "));
    }
    case Qt::DecorationRole:
        return markIcon(risky > 0 ? Mark::HighRisk : Mark::Conflict, QApplication::palette());
    case Qt::ForegroundRole:
        return toneColour(risky > 0 ? Tone::Bad : Tone::Warning, QApplication::palette());
    case Qt::ToolTipRole: {
        if (node.entry == nullptr) {
            return {};
        }
        QStringList out;
        if (node.entry->highRisk) {
            out << tr("High risk: %1").arg(lineOf(node.entry->riskReason));
        }
        if (!node.entry->conflict.empty()) {
            out << tr("Conflict: %1").arg(lineOf(node.entry->conflict));
        }
        return toolTipOf(out.join('\n'));
    }
    default:
        return {};
    }
}

// The whole row in words, for somebody who hears it.
QString ChangeTreeModel::described(const Node& node) const {
    QStringList out{node.name};
    if (node.entry != nullptr) {
        out << kindText(*node.entry) << sizeOf(*node.entry);
    } else {
        out << tr("folder with %n change(s)", nullptr, static_cast<int>(node.all));
    }
    out << signsData(node, Qt::DisplayRole).toString();
    out.removeAll(QString());
    return out.join(QStringLiteral(", "));
}

QVariant ChangeTreeModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& node = *nodeAt(index);
    switch (index.column()) {
    case Name:
        return nameData(node, role);
    case What:
        return whatData(node, role);
    case Size:
        if (role == Qt::TextAlignmentRole) {
            return int(Qt::AlignRight | Qt::AlignVCenter);
        }
        return role == Qt::DisplayRole && node.entry != nullptr ? QVariant(sizeOf(*node.entry)) : QVariant();
    case Signs:
        return signsData(node, role);
    default:
        return {};
    }
}

} // namespace carrel::ui
