// SPDX-License-Identifier: Apache-2.0
// What did not come about of an agent's connections, from its log: one row for each destination and outcome, the newest first, with
// how often since this was begun to be read. Thread: the window's.
#pragma once

#include "ui/parts/table_model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace carrel::ui {

class RefusedModel : public TableModel {
    Q_OBJECT
public:
    enum Column { Destination, Outcome, Times, When, Why, Columns };
    static constexpr int kMostRows = 200; // the oldest go

    explicit RefusedModel(QObject* parent)
        : TableModel(Columns, parent) {}

    void add(const boost::json::array& events); // of the log, in its order; twice the same counts once
    [[nodiscard]] std::uint64_t lastSeq() const { return m_lastSeq; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] bool isAmount(int column) const override { return column == Times; }

private:
    struct Row {
        std::string destination, outcome, time, why; // raw
        std::uint64_t times = 0;
    };
    void take(Row row);

    std::vector<Row> m_rows;
    std::uint64_t m_lastSeq = 0;
};

} // namespace carrel::ui
