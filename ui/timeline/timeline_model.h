// SPDX-License-Identifier: Apache-2.0
// The newest events of one agent, oldest first, as a table: a log has no bound, and a window has. An
// event is kept as it came and made fit for display when a view asks. Thread: the window's.
#pragma once

#include "ui/timeline/process_tree.h"

#include <QAbstractTableModel>

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace carrel::ui {

// What a person filters by.
enum class EventGroup { Machine, Files, Commands, Changes, Approvals, Network, Notes };
[[nodiscard]] EventGroup groupOf(std::string_view kind);

struct TimelineEvent {
    std::uint64_t seq = 0;
    std::string time;
    std::string kind;
    std::string subject; // raw
    std::string detail;  // "name=value  …", raw
    std::string brief;   // of what a program did: the same without the names of processes, and its command as it was given, raw
    std::string process; // which did it (process_tree.h); empty: none
    QString words;       // of the network's: the same in plain words, fit to be shown
    bool byGuest = false;
    std::uint64_t recording = 0; // of a recording's: its number, as Carrel itself wrote it; else 0
    std::string content; // of a program that is run: its SHA-256, 64 hexadecimal digits; empty: not told
};

class TimelineModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Time, WhoSays, What, Subject, Program, Detail, Columns }; // Program: which did it, and which started that
    enum Role { GuestRole = Qt::UserRole + 1, GroupRole, SearchRole };

    explicit TimelineModel(QObject* parent);

    void add(const boost::json::array& events);
    // More than that are not kept: the oldest go.
    static constexpr int kMostRows = 100'000;
    [[nodiscard]] std::uint64_t firstSeq() const { return m_rows.empty() ? 0 : m_rows.front().seq; }
    [[nodiscard]] std::uint64_t lastSeq() const { return m_rows.empty() ? 0 : m_rows.back().seq; }
    [[nodiscard]] const ProcessTree& programs() const { return m_programs; }
    [[nodiscard]] const TimelineEvent& at(int row) const { return m_rows.at(static_cast<std::size_t>(row)); }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<TimelineEvent> m_rows;
    ProcessTree m_programs;
};

// In the user's language: "A command began". Kinds of a later engine: their name.
[[nodiscard]] QString kindText(std::string_view kind);
[[nodiscard]] QString whoSays(bool byGuest);

} // namespace carrel::ui
