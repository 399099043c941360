// SPDX-License-Identifier: Apache-2.0
#include "app/activity/recording_check.h"

#include "guest/protocol/strict_json.h"

#include <boost/json/object.hpp>
#include <openssl/evp.h>

#include <cstring>

namespace carrel::activity {

namespace {

std::string toldBy(const EventRow& row) {
    return "what event " + std::to_string(row.seq) + " of the activity log recorded";
}

Error unreadable(const EventRow& row) {
    return {ErrorCode::Malformed, "event " + std::to_string(row.seq) + " of the activity log cannot be read", {}, 0, nullptr};
}

// The only number that a statement finds.
Result<std::uint64_t> numberOf(Database& database, const std::string& sql) {
    auto select = database.prepare(sql);
    if (!select) {
        return fail(std::move(select).error());
    }
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    return static_cast<std::uint64_t>(select->number(0));
}

} // namespace

Result<bool> RecordingCheck::find(std::optional<Statement>& statement, std::string_view sql, std::uint64_t first, std::uint64_t second) {
    if (!statement) {
        auto made = m_database.prepare(sql);
        if (!made) {
            return fail(std::move(made).error());
        }
        statement.emplace(std::move(*made));
    }
    statement->reset();
    statement->bind(1, static_cast<std::int64_t>(first));
    statement->bind(2, static_cast<std::int64_t>(second));
    return statement->step();
}

Status RecordingCheck::meet(const EventRow& row) {
    if (row.provenance != toString(Provenance::Host)) {
        return {};
    }
    if (row.kind == toString(EventKind::RecordingStarted)) {
        return meetStart(row);
    }
    if (row.kind == toString(EventKind::RecordingChunk)) {
        return meetChunk(row);
    }
    return row.kind == toString(EventKind::RecordingEnded) ? meetEnd(row) : Status{};
}

Status RecordingCheck::meetStart(const EventRow& row) {
    const auto detail = parseJsonObject(row.detail, JsonLimits{kMaxDetailBytes, 32});
    if (!detail) {
        return fail(unreadable(row));
    }
    JsonFields fields(*detail, "recording.started");
    const auto recording = fields.number("recording", INT64_MAX);
    const auto kind = fields.string("kind", kMaxDetailBytes);
    const auto columns = fields.number("columns", UINT32_MAX);
    const auto rows = fields.number("rows", UINT32_MAX);
    if (!fields.finish()) {
        return fail(unreadable(row));
    }
    auto there = find(m_start, "SELECT kind, title, columns, rows, started_ns FROM recording WHERE id = ?1", recording);
    if (!there) {
        return fail(there.error().wrap(toldBy(row) + " cannot be read"));
    }
    if (!*there) {
        return fail(ErrorCode::Conflict, toldBy(row) + " is missing");
    }
    if (m_start->text(0) != kind || m_start->text(1) != row.subject || m_start->number(2) != static_cast<std::int64_t>(columns) ||
        m_start->number(3) != static_cast<std::int64_t>(rows) || m_start->number(4) != row.timeNs) {
        return fail(ErrorCode::Conflict, toldBy(row) + " was changed");
    }
    m_firstStarted = m_started++ == 0 ? recording : m_firstStarted;
    return {};
}

Status RecordingCheck::meetChunk(const EventRow& row) {
    const auto detail = parseJsonObject(row.detail, JsonLimits{kMaxDetailBytes, 32});
    if (!detail) {
        return fail(unreadable(row));
    }
    JsonFields fields(*detail, "recording.chunk");
    const auto recording = fields.number("recording", INT64_MAX);
    const auto number = fields.number("number", INT64_MAX);
    const auto firstUs = fields.number("first_us", INT64_MAX);
    const auto lastUs = fields.number("last_us", INT64_MAX);
    const auto rawBytes = fields.number("raw_bytes", INT64_MAX);
    const auto named = fields.string("sha256", 64);
    if (!fields.finish()) {
        return fail(unreadable(row));
    }
    auto there =
        find(m_chunk, "SELECT sha256, data, first_us, last_us, raw_bytes FROM recording_chunk WHERE recording = ?1 AND number = ?2", recording, number);
    if (!there) {
        return fail(there.error().wrap(toldBy(row) + " cannot be read"));
    }
    if (!*there) {
        return fail(ErrorCode::Conflict, toldBy(row) + " is missing");
    }
    const auto data = m_chunk->text(1);
    Hash hash{};
    unsigned int length = 0;
    if (EVP_Digest(data.data(), data.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    const auto stored = m_chunk->text(0);
    if (toHex(hash) != named || stored.size() != hash.size() || std::memcmp(stored.data(), hash.data(), hash.size()) != 0 ||
        m_chunk->number(2) != static_cast<std::int64_t>(firstUs) || m_chunk->number(3) != static_cast<std::int64_t>(lastUs) ||
        m_chunk->number(4) != static_cast<std::int64_t>(rawBytes)) {
        return fail(ErrorCode::Conflict, toldBy(row) + " was changed");
    }
    m_chunk->reset();
    ++m_count;
    return {};
}

Status RecordingCheck::meetEnd(const EventRow& row) {
    const auto detail = parseJsonObject(row.detail, JsonLimits{kMaxDetailBytes, 32});
    if (!detail) {
        return fail(unreadable(row));
    }
    JsonFields fields(*detail, "recording.ended");
    const auto recording = fields.number("recording", INT64_MAX);
    (void)fields.number("chunks", INT64_MAX); // each has its own event
    if (!fields.finish()) {
        return fail(unreadable(row));
    }
    auto there = find(m_end, "SELECT ended_ns FROM recording WHERE id = ?1", recording);
    if (!there) {
        return fail(there.error().wrap(toldBy(row) + " cannot be read"));
    }
    if (!*there || m_end->number(0) != row.timeNs) {
        return fail(ErrorCode::Conflict, toldBy(row) + (*there ? " was changed" : " is missing"));
    }
    ++m_ended;
    return {};
}

Status RecordingCheck::end(Beginning beginning) {
    const auto begun = beginning == Beginning::Kept ? "0" : std::to_string(m_started == 0 ? INT64_MAX : m_firstStarted);
    auto chunks = numberOf(m_database, "SELECT count(*) FROM recording_chunk NOT INDEXED");
    auto started = numberOf(m_database, "SELECT count(*) FROM recording WHERE id >= " + begun);
    auto ended = numberOf(m_database, "SELECT count(*) FROM recording WHERE ended_ns IS NOT NULL");
    if (!chunks || !started || !ended) {
        return fail(!chunks ? chunks.error() : !started ? started.error() : ended.error());
    }
    if (*chunks != m_count || *started != m_started || *ended != m_ended) {
        return fail(ErrorCode::Conflict, "the activity log has recordings, or pieces of some, that no event of it tells of");
    }
    // Each way of finding a piece finds the same: by its number, as here, and by its time.
    auto check = m_database.prepare("PRAGMA integrity_check(recording_chunk)");
    if (!check) {
        return fail(std::move(check).error());
    }
    auto there = check->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there || check->text(0) != "ok") {
        return fail(ErrorCode::Conflict, "the list of the recordings' pieces in the activity log was changed");
    }
    return {};
}

} // namespace carrel::activity
