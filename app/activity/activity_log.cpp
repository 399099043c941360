// SPDX-License-Identifier: Apache-2.0
#include "app/activity/activity_log.h"

#include "app/activity/database.h"
#include "app/activity/schema.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::activity {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kColumns =
    "SELECT seq, time_ns, kind, provenance, subject, detail, hash FROM event ";

struct Row {
    std::uint64_t seq = 0;
    std::int64_t timeNs = 0;
    std::string kind;
    std::string provenance;
    std::string subject;
    std::string detail;
    Hash hash{};
};

Result<Row> rowOf(const Statement& statement) {
    Row row;
    row.seq = static_cast<std::uint64_t>(statement.number(0));
    row.timeNs = statement.number(1);
    row.kind = statement.text(2);
    row.provenance = statement.text(3);
    row.subject = statement.text(4);
    row.detail = statement.text(5);
    const std::string hash = statement.text(6);
    if (hash.size() != row.hash.size()) {
        return fail(ErrorCode::Conflict,
                    "event " + std::to_string(row.seq) + " of the activity log was changed");
    }
    std::memcpy(row.hash.data(), hash.data(), hash.size());
    return row;
}

Result<Recorded> recordedOf(const Statement& statement) {
    auto row = rowOf(statement);
    if (!row) {
        return fail(std::move(row).error());
    }
    const auto kind = eventKindFrom(row->kind);
    const auto provenance = provenanceFrom(row->provenance);
    auto detail = parseJsonObject(row->detail, JsonLimits{kMaxDetailBytes, 32});
    if (!kind || !provenance || !detail) {
        return fail(ErrorCode::Malformed,
                    "event " + std::to_string(row->seq) + " of the activity log cannot be read");
    }
    return Recorded{row->seq,
                    Event{*kind, *provenance, std::move(row->subject), std::move(*detail), row->timeNs},
                    row->hash};
}

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// SQLite's own locks do not keep a second writer out for good, and closing any descriptor of the database
// file would drop them (fcntl locks): hence a lock file beside it.
Result<UniqueFd> lockBeside(const fs::path& file) {
    UniqueFd lock(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return failErrno("cannot make the lock of the activity log " + file.string());
    }
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(lock.get(), F_OFD_SETLK, &whole) != 0) {
        return fail(ErrorCode::Refused, "the activity log " + file.string() + " is open in another process");
    }
    return lock;
}

} // namespace

struct ActivityLog::Impl {
    Impl(Database opened, UniqueFd held)
        : database(std::move(opened))
        , lock(std::move(held)) {}

    Database database;
    UniqueFd lock;
    mutable std::mutex mutex;
    std::condition_variable_any grown;
    Head head;

    [[nodiscard]] Result<Recorded> insert(const Head& after, Event event); // `head` stays as it is
    [[nodiscard]] Status insertTogether(std::vector<Event> events);        // all or none
    [[nodiscard]] Status readHead();
    [[nodiscard]] Result<Head> walk(const std::optional<Head>& expected);
};

Status ActivityLog::Impl::readHead() {
    auto statement = database.prepare(std::string(kColumns) + "ORDER BY seq DESC LIMIT 1");
    if (!statement) {
        return fail(std::move(statement).error());
    }
    auto row = statement->step();
    if (!row) {
        return fail(std::move(row).error());
    }
    if (*row) {
        auto last = rowOf(*statement);
        if (!last) {
            return fail(std::move(last).error());
        }
        head = {last->seq, last->hash};
    }
    return {};
}

ActivityLog::ActivityLog(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl)) {}
ActivityLog::~ActivityLog() = default;

Result<std::unique_ptr<ActivityLog>> ActivityLog::open(const fs::path& file) {
    auto lock = lockBeside(file);
    if (!lock) {
        return fail(std::move(lock).error());
    }
    {
        // Made by us with the right mode: SQLite would use the umask; the WAL takes over the file's mode.
        const UniqueFd made(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!made) {
            return failErrno("cannot open the activity log " + file.string());
        }
    }
    auto database = Database::open(file);
    if (!database) {
        return fail(std::move(database).error());
    }
    // trusted_schema=OFF: nothing that a foreign file brings along as schema is run.
    CARREL_TRY(database->run("PRAGMA trusted_schema=OFF; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                             "PRAGMA wal_autocheckpoint=1000; PRAGMA cell_size_check=ON"));
    CARREL_TRY(prepareSchema(*database));
    auto impl = std::make_unique<Impl>(std::move(*database), std::move(*lock));
    CARREL_TRY(impl->readHead());
    return std::unique_ptr<ActivityLog>(new ActivityLog(std::move(impl)));
}

Result<Recorded> ActivityLog::Impl::insert(const Head& after, Event event) {
    const std::string detail = boost::json::serialize(event.detail);
    if (event.subject.size() > kMaxSubjectBytes || detail.size() > kMaxDetailBytes) {
        return fail(ErrorCode::LimitExceeded, "the event is too long for the activity log");
    }
    if (!isUtf8(event.subject) || !isUtf8(detail)) {
        return fail(ErrorCode::Malformed, "the event is not UTF-8");
    }
    if (event.timeNs == 0) {
        event.timeNs = now();
    }
    const auto seq = after.seq + 1;
    const StoredText text{toString(event.kind), toString(event.provenance), event.subject, detail};
    auto hash = chainHash(after.hash, seq, event.timeNs, text);
    if (!hash) {
        return fail(std::move(hash).error());
    }
    auto insert = database.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)");
    if (!insert) {
        return fail(std::move(insert).error());
    }
    insert->bind(1, static_cast<std::int64_t>(seq));
    insert->bind(2, event.timeNs);
    insert->bind(3, text.kind);
    insert->bind(4, text.provenance);
    insert->bind(5, text.subject);
    insert->bind(6, text.detail);
    insert->bindBlob(7, hash->data(), hash->size());
    if (auto done = insert->step(); !done) {
        return fail(done.error().wrap("the event could not be recorded, so nothing was done"));
    }
    return Recorded{seq, std::move(event), *hash};
}

Status ActivityLog::Impl::insertTogether(std::vector<Event> events) {
    CARREL_TRY(database.run("BEGIN IMMEDIATE"));
    Head last = head;
    Status done;
    for (auto& event : events) {
        auto recorded = insert(last, std::move(event));
        if (!recorded) {
            done = fail(std::move(recorded).error());
            break;
        }
        last = {recorded->seq, recorded->hash};
    }
    if (done) {
        done = database.run("COMMIT");
    }
    if (!done) {
        (void)database.run("ROLLBACK").has_value();
        return done;
    }
    head = last;
    grown.notify_all();
    return done;
}

Result<Recorded> ActivityLog::append(Event event) {
    const std::lock_guard lock(m_impl->mutex);
    // Auto-commit: the statement is the transaction, and is durable (synchronous=FULL) when it is done.
    auto recorded = m_impl->insert(m_impl->head, std::move(event));
    if (recorded) {
        m_impl->head = {recorded->seq, recorded->hash};
        m_impl->grown.notify_all();
    }
    return recorded;
}

Status ActivityLog::appendUnflushed(std::vector<Event> events) {
    const std::lock_guard lock(m_impl->mutex);
    auto& database = m_impl->database;
    CARREL_TRY(database.run("PRAGMA synchronous=NORMAL"));
    const Status done = m_impl->insertTogether(std::move(events));
    // Back to what append() promises, whatever came of it.
    const Status full = database.run("PRAGMA synchronous=FULL");
    return done ? full : done;
}

Result<std::vector<Recorded>> ActivityLog::query(const Query& query) {
    std::string sql(kColumns);
    sql += "WHERE seq > ?1 AND time_ns >= ?2";
    if (!query.kinds.empty()) {
        sql += " AND kind IN (";
        for (std::size_t i = 0; i < query.kinds.size(); ++i) {
            sql += (i == 0 ? "" : ",");
            sql += "?" + std::to_string(i + 4);
        }
        sql += ")";
    }
    sql += " ORDER BY seq LIMIT ?3";
    const std::lock_guard lock(m_impl->mutex);
    auto select = m_impl->database.prepare(sql);
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, static_cast<std::int64_t>(std::min<std::uint64_t>(query.afterSeq, INT64_MAX)));
    select->bind(2, query.sinceNs.value_or(INT64_MIN));
    select->bind(3, static_cast<std::int64_t>(std::min(query.limit, kMaxQueryEvents)));
    for (std::size_t i = 0; i < query.kinds.size(); ++i) {
        select->bind(static_cast<int>(i) + 4, toString(query.kinds[i]));
    }
    std::vector<Recorded> events;
    for (;;) {
        auto row = select->step();
        if (!row) {
            return fail(std::move(row).error());
        }
        if (!*row) {
            return events;
        }
        auto recorded = recordedOf(*select);
        if (!recorded) {
            return fail(std::move(recorded).error());
        }
        events.push_back(std::move(*recorded));
    }
}

Head ActivityLog::head() const {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->head;
}

bool ActivityLog::waitNewer(std::uint64_t seq, std::stop_token stop, std::chrono::milliseconds patience) {
    std::unique_lock lock(m_impl->mutex);
    return m_impl->grown.wait_for(lock, std::move(stop), patience, [&] { return m_impl->head.seq > seq; });
}

Result<Head> ActivityLog::Impl::walk(const std::optional<Head>& expected) {
    auto select = database.prepare(std::string(kColumns) + "ORDER BY seq");
    if (!select) {
        return fail(std::move(select).error());
    }
    Head at;
    bool met = !expected || *expected == at;
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(std::move(more).error());
        }
        if (!*more) {
            break;
        }
        auto row = rowOf(*select);
        if (!row) {
            return fail(std::move(row).error());
        }
        if (row->seq != at.seq + 1) {
            return fail(ErrorCode::Conflict,
                        "event " + std::to_string(at.seq + 1) + " is missing from the activity log");
        }
        auto hash = chainHash(at.hash, row->seq, row->timeNs,
                              {row->kind, row->provenance, row->subject, row->detail});
        if (!hash) {
            return fail(std::move(hash).error());
        }
        if (*hash != row->hash) {
            return fail(ErrorCode::Conflict, "event " + std::to_string(row->seq) +
                                                 " of the activity log, or one before it, was changed");
        }
        at = {row->seq, *hash};
        met = met || *expected == at;
    }
    if (!met) {
        return fail(ErrorCode::Conflict,
                    "the activity log does not contain event " + std::to_string(expected->seq) +
                        " as it was handed out: its end was cut off or it was written anew");
    }
    return at;
}

Result<Head> ActivityLog::verify(const std::optional<Head>& expected) {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->walk(expected);
}

} // namespace carrel::activity
