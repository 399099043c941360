// SPDX-License-Identifier: Apache-2.0
#include "app/activity/schema.h"

namespace carrel::activity {

namespace {

// seq is the rowid and hence in order; kinds are stored by name, so that a log can be read without this program.
constexpr char kEvents[] = R"sql(
CREATE TABLE event (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  time_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  provenance TEXT NOT NULL CHECK (provenance IN ('host', 'guest')),
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
)sql";

// log: one row. signed_head: who signed which newest event, and when. cut: what was left out at the beginning when the log was
// shortened; the chain goes on from its seq and hash. A recording's bytes are in chunks, each of which an event recording.chunk names
// by its SHA-256, so that the chain vouches for them; their numbers are never given out again. The words to search are made from the
// events when somebody searches, and are no evidence.
constexpr char kSinceTwo[] = R"sql(
CREATE TABLE log (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id BLOB NOT NULL CHECK (length(id) = 16),
  made_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE signed_head (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  time_ns INTEGER NOT NULL,
  reason TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE TABLE cut (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  time_ns INTEGER NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE TABLE recording (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  started_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  columns INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  ended_ns INTEGER
) STRICT;
CREATE TABLE recording_chunk (
  recording INTEGER NOT NULL,
  number INTEGER NOT NULL CHECK (number > 0),
  first_us INTEGER NOT NULL,
  last_us INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL,
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  data BLOB NOT NULL,
  PRIMARY KEY (recording, number)
) STRICT;
CREATE INDEX recording_chunk_time ON recording_chunk (recording, first_us);
CREATE VIRTUAL TABLE event_words USING fts5 (kind, subject, detail, content='event', content_rowid='seq',
  tokenize='unicode61 remove_diacritics 2');
CREATE TABLE event_words_up_to (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO event_words_up_to VALUES (1, 0);
INSERT INTO log VALUES (1, randomblob(16), CAST(strftime('%s', 'now') AS INTEGER) * 1000000000);
)sql";

std::string versionPragma() {
    return "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";";
}

// All or nothing: SQLite's pragmas for the header are part of the transaction.
Status runWhole(Database& database, const std::string& sql) {
    CARREL_TRY(database.run("BEGIN IMMEDIATE"));
    if (Status done = database.run(sql); !done) {
        (void)database.run("ROLLBACK").has_value();
        return done;
    }
    return database.run("COMMIT");
}

// 0: nothing in it yet.
Result<std::int64_t> versionOf(Database& database) {
    auto version = database.pragma("user_version");
    if (!version) {
        return version;
    }
    auto application = database.pragma("application_id");
    auto tables = database.prepare("SELECT count(*) FROM sqlite_schema");
    if (!application || !tables || !tables->step()) {
        return fail(ErrorCode::Malformed, "the file is not an activity log, or it is damaged");
    }
    if (*version == 0 && *application == 0 && tables->number(0) == 0) {
        return 0;
    }
    if (*application != kApplicationId || *version < 1) {
        return fail(ErrorCode::Malformed, "the file is not an activity log");
    }
    if (*version > kSchemaVersion) {
        return fail(ErrorCode::Unsupported, "the activity log was written by a later version of Carrel", "Use that version.");
    }
    return version;
}

} // namespace

Status prepareSchema(Database& database) {
    auto version = versionOf(database);
    if (!version) {
        return fail(std::move(version).error());
    }
    if (*version == kSchemaVersion) {
        return {};
    }
    std::string sql = *version == 0 ? "PRAGMA application_id=" + std::to_string(kApplicationId) + ";" + kEvents : "";
    return runWhole(database, sql + kSinceTwo + versionPragma());
}

Status checkTables(Database& database) {
    auto select = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name IN ('event', 'log', 'signed_head', 'cut', "
                                   "'recording', 'recording_chunk')");
    if (!select) {
        return fail(std::move(select).error());
    }
    int good = 0;
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(std::move(more).error());
        }
        if (!*more) {
            break;
        }
        const auto sql = select->text(1); // as it was written when the table was made
        const bool ours = !sql.empty() && (std::string_view(kEvents).find(sql) != std::string_view::npos ||
                                           std::string_view(kSinceTwo).find(sql) != std::string_view::npos);
        good += ours ? 1 : 0;
    }
    if (good != 6) {
        return fail(ErrorCode::Conflict, "the tables of the activity log were changed");
    }
    return {};
}

Result<std::int64_t> checkSchema(Database& database) {
    auto version = versionOf(database);
    if (version && *version == 0) {
        return fail(ErrorCode::Malformed, "the file is empty: it is no activity log");
    }
    return version;
}

} // namespace carrel::activity
