// SPDX-License-Identifier: Apache-2.0
#include "app/activity/database.h"

#include <system_error>

namespace carrel::activity {

namespace {

constexpr int kMostBytesOfAField = 16 * 1024 * 1024; // of a file that is not trusted; more is a damaged one

Error databaseError(sqlite3* handle, int code) {
    Error error{ErrorCode::Io, "the activity log cannot be used", {}, 0, nullptr};
    const char* why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        error.message = "the disk is full: the activity log cannot be written";
        error.hint = "Free some space; nothing is done that cannot be recorded.";
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error.code = ErrorCode::Refused;
        error.message = "the activity log is open in another process";
        break;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        error.code = ErrorCode::Malformed;
        error.message = "the file is not an activity log, or it is damaged";
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        error.hint = "Look at the rights of the file and of its folder.";
        break;
    default:
        break;
    }
    error.sysErrno = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    error.cause =
        std::make_shared<Error>(Error{error.code, std::string("SQLite says: ") + why, {}, 0, nullptr});
    return error;
}

} // namespace

void Statement::bind(int at, std::string_view text) {
    sqlite3_bind_text64(m_statement.get(), at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Statement::bindBorrowed(int at, std::string_view text) {
    sqlite3_bind_text64(m_statement.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::reset() {
    sqlite3_reset(m_statement.get());
    sqlite3_clear_bindings(m_statement.get());
}

void Statement::bindBlob(int at, const void* data, std::size_t size) {
    sqlite3_bind_blob64(m_statement.get(), at, data, size, SQLITE_TRANSIENT);
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(m_statement.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        return false;
    }
    return fail(databaseError(sqlite3_db_handle(m_statement.get()), code));
}

std::string Statement::text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(m_statement.get(), column));
    const int size = sqlite3_column_bytes(m_statement.get(), column);
    return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

Result<Database> Database::open(const std::filesystem::path& file) {
    sqlite3* handle = nullptr;
    // NOMUTEX: the log's own lock is around every use. NOFOLLOW: the path is ours, down to the last
    // component.
    const int code = sqlite3_open_v2(file.c_str(), &handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                         SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                                     nullptr);
    Database database(handle);
    if (code != SQLITE_OK) {
        return fail(databaseError(handle, code).wrap("cannot open " + file.string()));
    }
    return database;
}

Result<Database> Database::openToRead(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
        return fail(ErrorCode::NotFound, "there is no file " + file.string());
    }
    // "immutable" keeps SQLite from making files beside it. With a journal it must not be said: what is in that would be left out.
    std::string name = "file:";
    for (const char each : file.string()) {
        static constexpr std::string_view kDigits = "0123456789ABCDEF";
        if (each == '?' || each == '#' || each == '%') {
            const auto byte = static_cast<unsigned char>(each);
            name += {'%', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
        } else {
            name += each;
        }
    }
    const bool journal = std::filesystem::exists(file.string() + "-wal", error);
    name += journal ? "?mode=ro" : "?mode=ro&immutable=1";
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &handle,
                                     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) {
        return fail(databaseError(handle, code).wrap("cannot open " + file.string()));
    }
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kMostBytesOfAField);
    CARREL_TRY(database.run("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA query_only=ON"));
    return database;
}

Status Database::run(const std::string& sql) {
    const int code = sqlite3_exec(m_handle.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return fail(databaseError(m_handle.get(), code));
    }
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(m_handle.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) {
        return fail(databaseError(m_handle.get(), code));
    }
    return Statement(statement);
}

Status Database::copyTo(const std::filesystem::path& file) {
    auto to = open(file);
    if (!to) {
        return fail(std::move(to).error());
    }
    auto* backup = sqlite3_backup_init(to->m_handle.get(), "main", m_handle.get(), "main");
    if (backup == nullptr) {
        return fail(databaseError(to->m_handle.get(), sqlite3_errcode(to->m_handle.get())));
    }
    const int step = sqlite3_backup_step(backup, -1); // all of it: under one lock for reading, which keeps nobody from writing
    const int end = sqlite3_backup_finish(backup);
    if (step != SQLITE_DONE || end != SQLITE_OK) {
        return fail(databaseError(to->m_handle.get(), end != SQLITE_OK ? end : step));
    }
    return {};
}

Result<std::int64_t> Database::pragma(const std::string& name) {
    auto statement = prepare("PRAGMA " + name);
    if (!statement) {
        return fail(std::move(statement).error());
    }
    auto row = statement->step();
    if (!row) {
        return fail(std::move(row).error());
    }
    return *row ? statement->number(0) : 0;
}

} // namespace carrel::activity
