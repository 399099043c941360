// SPDX-License-Identifier: Apache-2.0
// The connections of one agent as they are now, as a table. Thread: the window's.
#pragma once

#include "ui/parts/table_model.h"

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

class LiveModel : public RowsModel<LiveConnection> {
    Q_OBJECT
public:
    enum Column { Destination, Address, Sent, Received, Age, By, Held, Columns };

    explicit LiveModel(QObject* parent)
        : RowsModel(Columns, parent) {}

    void take(const QVector<LiveConnection>& now);
    [[nodiscard]] int countOfRule(std::uint64_t rule) const; // that go on by it

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] QString tip(int row, int column) const override;
    [[nodiscard]] bool isAmount(int column) const override { return column == Sent || column == Received || column == Age; }
};

} // namespace carrel::ui
