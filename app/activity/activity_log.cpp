// SPDX-License-Identifier: Apache-2.0
#include "app/activity/activity_log.h"

#include "app/activity/log_impl.h"
#include "app/activity/schema.h"
#include "app/activity/verify_database.h"
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

std::int64_t nowNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Status ActivityLog::Impl::read() {
    auto own = database.prepare("SELECT id FROM log");
    if (!own || !own->step()) {
        return fail(ErrorCode::Malformed, "the activity log has lost its name", "It was changed by another program, or is damaged.");
    }
    const auto bytes = own->text(0);
    if (bytes.size() != id.size()) {
        return fail(ErrorCode::Malformed, "the activity log has lost its name", "It was changed by another program, or is damaged.");
    }
    std::memcpy(id.data(), bytes.data(), bytes.size());
    auto made = EventWriter::prepare(database);
    if (!made) {
        return fail(std::move(made).error());
    }
    writer.emplace(std::move(*made));
    // After a cut of everything, the chain goes on from the cut.
    auto cut = database.prepare("SELECT seq, hash FROM cut ORDER BY seq DESC LIMIT 1");
    if (!cut) {
        return fail(std::move(cut).error());
    }
    auto any = cut->step();
    if (!any) {
        return fail(std::move(any).error());
    }
    if (const auto hash = *any ? cut->text(1) : std::string(); hash.size() == head.hash.size()) {
        head.seq = static_cast<std::uint64_t>(cut->number(0));
        std::memcpy(head.hash.data(), hash.data(), hash.size());
    }
    auto statement = database.prepare(std::string(kEventColumns) + "ORDER BY seq DESC LIMIT 1");
    if (!statement) {
        return fail(std::move(statement).error());
    }
    auto row = statement->step();
    if (!row) {
        return fail(std::move(row).error());
    }
    if (*row) {
        auto last = eventRowOf(*statement);
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
    CARREL_TRY(impl->read());
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
        event.timeNs = nowNs();
    }
    const auto seq = after.seq + 1;
    const StoredText text{toString(event.kind), toString(event.provenance), event.subject, detail};
    auto hash = chainHash(after.hash, seq, event.timeNs, text);
    if (!hash) {
        return fail(std::move(hash).error());
    }
    if (auto done = writer->write(seq, event.timeNs, text, *hash); !done) {
        return fail(done.error().wrap("the event could not be recorded, so nothing was done"));
    }
    return Recorded{seq, std::move(event), *hash};
}

Status ActivityLog::Impl::addEvent(Head& last, Event event) {
    auto recorded = insert(last, std::move(event));
    if (!recorded) {
        return fail(std::move(recorded).error());
    }
    last = {recorded->seq, recorded->hash};
    return {};
}

Status ActivityLog::Impl::together(const std::function<Status(Head& last)>& what) {
    CARREL_TRY(database.run("BEGIN IMMEDIATE"));
    Head last = head;
    Status done = what(last);
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
    const Status done = m_impl->together([&](Head& last) -> Status {
        for (auto& event : events) {
            CARREL_TRY(m_impl->addEvent(last, std::move(event)));
        }
        return {};
    });
    // Back to what append() promises, whatever came of it.
    const Status full = database.run("PRAGMA synchronous=FULL");
    return done ? full : done;
}

Result<std::vector<Recorded>> ActivityLog::query(const Query& query) {
    std::string sql(kEventColumns);
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
        auto stored = eventRowOf(*select);
        auto recorded = stored ? recordedOf(std::move(*stored)) : fail(std::move(stored).error());
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

Result<Head> ActivityLog::verify(const std::optional<Head>& expected) {
    const std::lock_guard lock(m_impl->mutex);
    auto verdict = verifyDatabase(m_impl->database, {}, expected);
    if (!verdict) {
        return fail(std::move(verdict).error());
    }
    if (verdict->wrong) {
        return fail(verdict->wrong->error);
    }
    return verdict->last;
}

} // namespace carrel::activity
