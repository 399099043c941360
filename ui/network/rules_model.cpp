// SPDX-License-Identifier: Apache-2.0
#include "ui/network/rules_model.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

using namespace api;

QVector<RuleInfo> networkRulesOf(const boost::json::array& rules, const std::string& agent) {
    QVector<RuleInfo> out;
    for (const auto& value : rules) {
        if (!value.is_object()) {
            continue;
        }
        const auto& rule = value.get_object();
        const bool everyAgent = rule.if_contains("agent_id") == nullptr;
        if (textAt(rule, "action") != "network" || (!everyAgent && textAt(rule, "agent") != agent)) {
            continue;
        }
        out.push_back({numberAt(rule, "id"), textAt(rule, "words"), textAt(rule, "note"), textAt(rule, "effect") == "allow", everyAgent});
    }
    std::sort(out.begin(), out.end(), [](const RuleInfo& a, const RuleInfo& b) { return a.id < b.id; });
    return out;
}

RulesModel::RulesModel(QObject* parent)
    : QAbstractTableModel(parent) {}

int RulesModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int RulesModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

QVariant RulesModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& rule = m_rows.at(index.row());
    if (role == Qt::TextAlignmentRole) {
        return QVariant(Qt::AlignLeft | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole && role != Qt::AccessibleTextRole) {
        return {};
    }
    const auto text = index.column() == Number  ? QString::number(rule.id)
                      : index.column() == Words ? lineOf(rule.words, kWholeColumns)
                                                : lineOf(rule.note);
    return role == Qt::ToolTipRole                                       ? toolTipOf(text)
           : role == Qt::AccessibleTextRole && index.column() == Number ? tr("Rule %1").arg(text)
                                                                         : text;
}

QVariant RulesModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    return section == Number ? tr("No.") : section == Words ? tr("Rule") : section == Note ? tr("What for") : QString();
}

// Numbers are never given again, and a rule is not changed: it goes, and another comes.
void RulesModel::take(const QVector<RuleInfo>& now) {
    int row = 0;
    for (const auto& rule : now) {
        while (row < rowCount() && m_rows.at(row).id < rule.id) {
            beginRemoveRows({}, row, row);
            m_rows.remove(row);
            endRemoveRows();
        }
        if (row == rowCount() || m_rows.at(row).id != rule.id) {
            beginInsertRows({}, row, row);
            m_rows.insert(row, rule);
            endInsertRows();
        } else if (m_rows.at(row) != rule) { // the agent's name in it, say
            m_rows[row] = rule;
            emit dataChanged(index(row, 0), index(row, Columns - 1));
        }
        ++row;
    }
    if (row < rowCount()) {
        beginRemoveRows({}, row, rowCount() - 1);
        m_rows.resize(row);
        endRemoveRows();
    }
}

} // namespace carrel::ui
