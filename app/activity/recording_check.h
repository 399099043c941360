// SPDX-License-Identifier: Apache-2.0
// Whether the pieces of recordings in a log's file are those that its events name. Private to app/activity.
// Thread: that of the database.
#pragma once

#include "app/activity/database.h"
#include "app/activity/event_rows.h"

#include <optional>

namespace carrel::activity {

class RecordingCheck {
public:
    explicit RecordingCheck(Database& database)
        : m_database(database) {}
    // Looks at an event of the chain, in order: at the piece that it names, if it names one. Conflict: that is not as it was.
    [[nodiscard]] Status meet(const EventRow& row);
    // After the last one. Conflict: there are pieces that no event names.
    [[nodiscard]] Status end();
    [[nodiscard]] std::uint64_t count() const { return m_count; }

private:
    Database& m_database;
    std::optional<Statement> m_select;
    std::uint64_t m_count = 0;
};

} // namespace carrel::activity
