// SPDX-License-Identifier: Apache-2.0
#include "app/activity/schema.h"

#include <algorithm>
#include <array>
#include <set>

namespace carrel::activity {

using namespace std::string_view_literals;

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

bool isOneStatementOf(std::string_view script, const std::string& sql) {
    return sql.starts_with("CREATE ") && sql.find(';') == std::string::npos && script.find(sql + ";") != std::string_view::npos;
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
    // What SQLite makes by itself: for the words to search, for the numbers of recordings and for the key of their pieces.
    static constexpr std::array kMadeBySqlite{"event_words_data"sv, "event_words_idx"sv, "event_words_docsize"sv, "event_words_config"sv, "sqlite_sequence"sv,
                                              "sqlite_autoindex_recording_chunk_1"sv};
    std::set<std::string, std::less<>> missing{"event", "log", "signed_head", "cut", "recording", "recording_chunk", "recording_chunk_time", "event_words",
                                               "event_words_up_to"};
    auto select = database.prepare("SELECT name, sql FROM sqlite_schema");
    if (!select) {
        return fail(std::move(select).error());
    }
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(std::move(more).error());
        }
        if (!*more) {
            break;
        }
        const auto name = select->text(0);
        const auto sql = select->text(1); // as it was written when it was made
        const bool ours = isOneStatementOf(kEvents, sql) || isOneStatementOf(kSinceTwo, sql) ? missing.erase(name) == 1 :
                                                                                               std::ranges::find(kMadeBySqlite, name) != kMadeBySqlite.end();
        if (!ours) {
            return fail(ErrorCode::Conflict, "the tables of the activity log were changed");
        }
    }
    if (!missing.empty()) {
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
