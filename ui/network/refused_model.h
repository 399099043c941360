// SPDX-License-Identifier: Apache-2.0
// What did not come about of an agent's connections, from its log: one row for each destination and outcome, the newest first, with
// how often since this was begun to be read. Thread: the window's.
#pragma once

#include <boost/json.hpp>

#include <QAbstractTableModel>

#include <cstdint>
#include <string>
#include <vector>

namespace carrel::ui {

class RefusedModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Destination, Outcome, Times, When, Why, Columns };
    static constexpr int kMostRows = 200; // the oldest go

    explicit RefusedModel(QObject* parent);

    void add(const boost::json::array& events); // of the log, in its order; twice the same counts once
    [[nodiscard]] std::uint64_t lastSeq() const { return m_lastSeq; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Row {
        std::string destination, outcome, time, why; // raw
        std::uint64_t times = 0;
    };
    void take(Row row);
    [[nodiscard]] QString cell(const Row& row, int column) const;

    std::vector<Row> m_rows;
    std::uint64_t m_lastSeq = 0;
};

} // namespace carrel::ui
