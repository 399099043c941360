// SPDX-License-Identifier: Apache-2.0
// The connections of one agent as they are now, as a table. The engine is asked again and again while they are looked at: rows come,
// go and change one by one, so that what is selected stays, and nothing flickers. Thread: the window's.
#pragma once

#include <boost/json.hpp>

#include <QAbstractTableModel>
#include <QVector>

#include <chrono>
#include <cstdint>
#include <string>

namespace carrel::ui {

struct LiveConnection {
    std::uint64_t number = 0; // of the clerk that is there: a later one counts anew
    std::string host, address, treat; // raw; no address: a proxy knows it
    std::uint64_t port = 0, sent = 0, received = 0, rule = 0, approval = 0;
    std::chrono::milliseconds age{0};

    [[nodiscard]] bool isSame(const LiveConnection& other) const { return number == other.number && host == other.host && port == other.port; }
};

[[nodiscard]] QVector<LiveConnection> liveFrom(const boost::json::array& connections);

class LiveModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Destination, Address, Sent, Received, Age, By, Held, Columns };

    explicit LiveModel(QObject* parent);

    void take(const QVector<LiveConnection>& now);
    [[nodiscard]] int countOfRule(std::uint64_t rule) const; // that go on by it
    [[nodiscard]] const LiveConnection& at(int row) const { return m_rows.at(row); }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QVector<LiveConnection> m_rows;
};

} // namespace carrel::ui
