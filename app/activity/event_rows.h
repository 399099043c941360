// SPDX-License-Identifier: Apache-2.0
// Events as rows of the log's table, as they are stored and before anybody believes them. Private to app/activity.
// Thread: that of the database.
#pragma once

#include "app/activity/database.h"
#include "app/activity/event.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::activity {

inline constexpr std::string_view kEventColumns = "SELECT seq, time_ns, kind, provenance, subject, detail, hash FROM event ";

struct EventRow {
    std::uint64_t seq = 0;
    std::int64_t timeNs = 0;
    std::string kind;
    std::string provenance;
    std::string subject;
    std::string detail;
    Hash hash{};
    [[nodiscard]] StoredText text() const { return {kind, provenance, subject, detail}; }
};

// Of a statement that began with kEventColumns. Conflict: its hash is none.
[[nodiscard]] Result<EventRow> eventRowOf(const Statement& statement);
// Malformed: a kind, a provenance or a detail that this version does not know.
[[nodiscard]] Result<Recorded> recordedOf(EventRow row);

// Writes rows by one prepared statement. Thread: that of the database; it must not outlive it.
class EventWriter {
public:
    // InvalidArgument never: the database's own errors.
    [[nodiscard]] static Result<EventWriter> prepare(Database& database);
    [[nodiscard]] Status write(std::uint64_t seq, std::int64_t timeNs, const StoredText& text, const Hash& hash);

private:
    explicit EventWriter(Statement statement)
        : m_insert(std::move(statement)) {}
    Statement m_insert;
};

} // namespace carrel::activity
