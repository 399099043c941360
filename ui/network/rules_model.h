// SPDX-License-Identifier: Apache-2.0
// The rules that speak of one agent's network, its own and those of every agent, in plain words as a table. Thread: the window's.
#pragma once

#include "ui/parts/table_model.h"

#include <cstdint>
#include <string>

namespace carrel::ui {

struct RuleInfo {
    std::uint64_t id = 0;
    std::string words, note; // raw
    bool allows = false;
    bool everyAgent = false;
    bool operator==(const RuleInfo&) const = default;
};

// Those of rule.list that are about the network, and of this agent or of every one.
[[nodiscard]] QVector<RuleInfo> networkRulesOf(const boost::json::array& rules, const std::string& agent);

class RulesModel : public RowsModel<RuleInfo> {
    Q_OBJECT
public:
    enum Column { Number, Words, Note, Columns };

    explicit RulesModel(QObject* parent)
        : RowsModel(Columns, parent) {}

    void take(const QVector<RuleInfo>& now); // by number

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] QString said(int row, int column) const override;
};

} // namespace carrel::ui
