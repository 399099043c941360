// SPDX-License-Identifier: Apache-2.0
// The little of SQLite's C interface (sqlite.org/c3ref) that the log needs, with owners and errors. Private
// to app/activity. Thread: none of its own; the log's lock is around it.
#pragma once

#include "guest/protocol/result.h"

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace carrel::activity {

class Statement {
public:
    explicit Statement(sqlite3_stmt* statement)
        : m_statement(statement) {}
    // Parameters count from 1. Text and blobs are copied.
    void bind(int at, std::int64_t number) { sqlite3_bind_int64(m_statement.get(), at, number); }
    void bind(int at, std::string_view text);
    // Not copied: must live until reset() or the statement's end.
    void bindBorrowed(int at, std::string_view text);
    void bindBlob(int at, const void* data, std::size_t size);
    // To be stepped anew; what was bound is forgotten.
    void reset();
    // True: a row is there.
    [[nodiscard]] Result<bool> step();
    [[nodiscard]] std::int64_t number(int column) const {
        return sqlite3_column_int64(m_statement.get(), column);
    }
    [[nodiscard]] std::string text(int column) const; // the bytes of text or blob

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

class Database {
public:
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& file);
    // Only to be read, and not to be trusted: nothing in the file is run, and nothing is written into it or beside it, unless another
    // program is writing to it (its journal lies beside it), whose index of that is then shared. NotFound: it is not there.
    [[nodiscard]] static Result<Database> openToRead(const std::filesystem::path& file);
    [[nodiscard]] Status run(const std::string& sql);
    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    [[nodiscard]] Result<std::int64_t> pragma(const std::string& name);
    // As it is at one moment, into an empty file (sqlite.org/c3ref/backup_finish.html).
    [[nodiscard]] Status copyTo(const std::filesystem::path& file);

private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    explicit Database(sqlite3* handle)
        : m_handle(handle) {}
    std::unique_ptr<sqlite3, Close> m_handle;
};

} // namespace carrel::activity
