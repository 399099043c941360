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

QString RulesModel::cell(int row, int column) const {
    const auto& rule = at(row);
    return column == Number ? QString::number(rule.id) : column == Words ? lineOf(rule.words, kWholeColumns) : lineOf(rule.note);
}

QString RulesModel::said(int row, int column) const {
    return column == Number ? tr("Rule %1").arg(cell(row, column)) : cell(row, column);
}

QString RulesModel::heading(int column) const {
    return column == Number ? tr("No.") : column == Words ? tr("Rule") : tr("What for");
}

// Numbers are never given again, and a rule is not changed: it goes, and another comes.
void RulesModel::take(const QVector<RuleInfo>& now) {
    int row = 0;
    for (const auto& rule : now) {
        while (row < rowCount() && at(row).id < rule.id) {
            dropRow(row);
        }
        if (row == rowCount() || at(row).id != rule.id) {
            putRow(row, rule);
        } else {
            changeRow(row, rule); // the agent's name in it, say
        }
        ++row;
    }
    while (row < rowCount()) {
        dropRow(rowCount() - 1);
    }
}

} // namespace carrel::ui
