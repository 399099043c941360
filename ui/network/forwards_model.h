// SPDX-License-Identifier: Apache-2.0
// The servers of one agent's machine that are shown in the user's browser, as a table. Thread: the window's.
#pragma once

#include "ui/parts/table_model.h"

#include <QUrl>

#include <chrono>
#include <cstdint>
#include <string>

namespace carrel::ui {

struct ForwardInfo {
    std::uint64_t number = 0; // of this start of the machine
    std::string url, until;   // raw; no until: until something ends it
    std::uint64_t port = 0, open = 0, connections = 0, sent = 0, received = 0;
    std::chrono::milliseconds age{0};

    [[nodiscard]] bool isSame(const ForwardInfo& other) const { return number == other.number && url == other.url; }
    // What a browser is given: one of the engine's own addresses on this computer, or an invalid one.
    [[nodiscard]] QUrl address() const;
};

[[nodiscard]] QVector<ForwardInfo> forwardsFrom(const boost::json::array& forwards);

class ForwardsModel : public RowsModel<ForwardInfo> {
    Q_OBJECT
public:
    enum Column { Port, Address, Age, Connections, Sent, Received, Until, Columns };

    explicit ForwardsModel(QObject* parent)
        : RowsModel(Columns, parent) {}

    void take(const QVector<ForwardInfo>& now);
    [[nodiscard]] int rowOf(std::uint64_t number) const; // -1: there is none

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] bool isAmount(int column) const override { return column == Sent || column == Received || column == Age; }
};

} // namespace carrel::ui
