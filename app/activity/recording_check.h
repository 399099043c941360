// SPDX-License-Identifier: Apache-2.0
// Whether the recordings in a log's file, with their titles, times and pieces, are those that its events tell of. Private to app/activity.
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
    // Looks at an event of the chain, in order: at the recording or the piece of one that it tells of. Conflict: that is not as it was.
    [[nodiscard]] Status meet(const EventRow& row);
    // After the last one. Conflict: there are recordings or pieces of them that no event tells of.
    enum class Beginning { Kept, Cut }; // after a cut, there may be recordings whose beginning is not told of any more
    [[nodiscard]] Status end(Beginning beginning);
    [[nodiscard]] std::uint64_t count() const { return m_count; }

private:
    [[nodiscard]] Status meetStart(const EventRow& row);
    [[nodiscard]] Status meetChunk(const EventRow& row);
    [[nodiscard]] Status meetEnd(const EventRow& row);
    // The row that this statement finds; it is prepared once.
    [[nodiscard]] Result<bool> find(std::optional<Statement>& statement, std::string_view sql, std::uint64_t first, std::uint64_t second = 0);

    Database& m_database;
    std::optional<Statement> m_start;
    std::optional<Statement> m_chunk;
    std::optional<Statement> m_end;
    std::uint64_t m_firstStarted = 0; // recordings' numbers grow
    std::uint64_t m_started = 0;
    std::uint64_t m_ended = 0;
    std::uint64_t m_count = 0;
};

} // namespace carrel::activity
