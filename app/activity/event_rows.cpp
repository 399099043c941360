// SPDX-License-Identifier: Apache-2.0
#include "app/activity/event_rows.h"

#include "guest/protocol/strict_json.h"

#include <cstring>

namespace carrel::activity {

Result<EventRow> eventRowOf(const Statement& statement) {
    EventRow row;
    row.seq = static_cast<std::uint64_t>(statement.number(0));
    row.timeNs = statement.number(1);
    row.kind = statement.text(2);
    row.provenance = statement.text(3);
    row.subject = statement.text(4);
    row.detail = statement.text(5);
    const std::string hash = statement.text(6);
    if (hash.size() != row.hash.size()) {
        return fail(ErrorCode::Conflict, "event " + std::to_string(row.seq) + " of the activity log was changed");
    }
    std::memcpy(row.hash.data(), hash.data(), hash.size());
    return row;
}

Result<Recorded> recordedOf(EventRow row) {
    const auto kind = eventKindFrom(row.kind);
    const auto provenance = provenanceFrom(row.provenance);
    auto detail = parseJsonObject(row.detail, JsonLimits{kMaxDetailBytes, 32});
    if (!kind || !provenance || !detail) {
        return fail(ErrorCode::Malformed, "event " + std::to_string(row.seq) + " of the activity log cannot be read");
    }
    return Recorded{row.seq, Event{*kind, *provenance, std::move(row.subject), std::move(*detail), row.timeNs}, row.hash};
}

Result<EventWriter> EventWriter::prepare(Database& database) {
    auto insert = database.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)");
    if (!insert) {
        return fail(std::move(insert).error());
    }
    return EventWriter(std::move(*insert));
}

Status EventWriter::write(std::uint64_t seq, std::int64_t timeNs, const StoredText& text, const Hash& hash) {
    m_insert.bind(1, static_cast<std::int64_t>(seq));
    m_insert.bind(2, timeNs);
    m_insert.bindBorrowed(3, text.kind);
    m_insert.bindBorrowed(4, text.provenance);
    m_insert.bindBorrowed(5, text.subject);
    m_insert.bindBorrowed(6, text.detail);
    m_insert.bindBlob(7, hash.data(), hash.size());
    auto done = m_insert.step();
    m_insert.reset(); // also after a failure: a statement under way would keep the transaction open
    if (!done) {
        return fail(std::move(done).error());
    }
    return {};
}

} // namespace carrel::activity
