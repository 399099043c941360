// SPDX-License-Identifier: Apache-2.0
// Tables of a page: one text a cell, which is also its tool tip and, with its heading, what a screen reader says. The engine is asked
// again and again while they are looked at: rows come, go and change one by one, so that what is selected stays, and nothing
// flickers. Thread: the window's.
#pragma once

#include <boost/json.hpp>

#include <QAbstractTableModel>
#include <QStringList>
#include <QVector>

#include <algorithm>
#include <concepts>
#include <functional>
#include <utility>

namespace carrel::ui {

class TableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    TableModel(int columns, QObject* parent)
        : QAbstractTableModel(parent)
        , m_columns(columns) {}

    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const final { return parent.isValid() ? 0 : m_columns; }
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const final;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const final;

protected:
    // Fit to be shown (ui/text/plain.h).
    [[nodiscard]] virtual QString cell(int row, int column) const = 0;
    [[nodiscard]] virtual QString heading(int column) const = 0;
    [[nodiscard]] virtual QString tip(int row, int column) const { return cell(row, column); }
    [[nodiscard]] virtual QString said(int row, int column) const { return heading(column) + ": " + cell(row, column); }
    [[nodiscard]] virtual bool isAmount(int /*column*/) const { return false; } // stands at the right

private:
    [[nodiscard]] QVariant alignment(int column) const;

    int m_columns;
};

template <class Row> class RowsModel : public TableModel {
public:
    using TableModel::TableModel;

    [[nodiscard]] const Row& at(int row) const { return m_rows.at(row); }
    [[nodiscard]] const QVector<Row>& all() const { return m_rows; }
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const final { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }

protected:
    // `isSame`: whether two of them are about one thing. The new ones come at the end: the older ones stay where they are looked at.
    template <class IsSame> void takeRows(const QVector<Row>& now, const IsSame& isSame) {
        for (int row = rowCount() - 1; row >= 0; --row) {
            if (std::none_of(now.begin(), now.end(), [&](const Row& each) { return isSame(each, m_rows.at(row)); })) {
                dropRow(row);
            }
        }
        for (const auto& one : now) {
            const auto at = std::find_if(m_rows.begin(), m_rows.end(), [&](const Row& each) { return isSame(each, one); });
            const int row = static_cast<int>(at - m_rows.begin());
            if (at == m_rows.end()) {
                putRow(row, one);
            } else {
                changeRow(row, one);
            }
        }
    }
    void putRow(int row, const Row& one) {
        beginInsertRows({}, row, row);
        m_rows.insert(row, one);
        endInsertRows();
    }
    void dropRow(int row) {
        beginRemoveRows({}, row, row);
        m_rows.remove(row);
        endRemoveRows();
    }
    void changeRow(int row, const Row& one) {
        QStringList before;
        for (int column = 0; column < columnCount(); ++column) {
            before << cell(row, column);
        }
        const auto was = std::exchange(m_rows[row], one);
        bool told = false;
        for (int column = 0; column < columnCount(); ++column) {
            if (before.at(column) != cell(row, column)) {
                emit dataChanged(index(row, column), index(row, column));
                told = true;
            }
        }
        if constexpr (std::equality_comparable<Row>) { // what no cell shows is read by others
            if (!told && was != one) {
                emit dataChanged(index(row, 0), index(row, columnCount() - 1));
            }
        }
    }

private:
    QVector<Row> m_rows;
};

// What the engine lists, each by `read`; what is of another form is left out.
template <class Row> [[nodiscard]] QVector<Row> rowsFrom(const boost::json::array& list, const std::function<Row(const boost::json::object&)>& read) {
    QVector<Row> out;
    for (const auto& value : list) {
        if (value.is_object()) {
            out.push_back(read(value.get_object()));
        }
    }
    return out;
}

} // namespace carrel::ui
