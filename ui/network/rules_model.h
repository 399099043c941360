// SPDX-License-Identifier: Apache-2.0
// The rules that speak of one agent's network, its own and those of every agent, in plain words as a table. Thread: the window's.
#pragma once

#include <boost/json.hpp>

#include <QAbstractTableModel>
#include <QVector>

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

class RulesModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Number, Words, Note, Columns };

    explicit RulesModel(QObject* parent);

    void take(const QVector<RuleInfo>& now); // by number
    [[nodiscard]] const RuleInfo& at(int row) const { return m_rows.at(row); }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QVector<RuleInfo> m_rows;
};

} // namespace carrel::ui
