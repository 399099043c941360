// SPDX-License-Identifier: Apache-2.0
#include "app/activity/log_reader.h"

#include "app/activity/database.h"
#include "app/activity/event_rows.h"
#include "app/activity/recording_select.h"
#include "app/activity/signature.h"
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <cstring>

namespace carrel::activity {

namespace {

template <std::size_t size> bool copyBytes(const std::string& from, std::array<std::uint8_t, size>& to) {
    if (from.size() != size) {
        return false;
    }
    std::memcpy(to.data(), from.data(), size);
    return true;
}

std::int64_t whole(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX));
}

Result<std::uint64_t> oneNumber(Result<Statement> select) {
    if (!select) {
        return fail(std::move(select).error());
    }
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    return *there ? static_cast<std::uint64_t>(select->number(0)) : 0;
}

// Of columns 7 …: hash, time_ns, reason, key, signature of the row's signed head.
bool readHead(const Statement& select, const LogId& log, StoredEvent& event) {
    const auto hash = select.text(7);
    if (hash.empty()) {
        return true; // not signed
    }
    SignedHead head;
    head.log = log;
    head.seq = event.seq;
    head.timeNs = select.number(8);
    head.reason = select.text(9);
    if (!copyBytes(hash, head.hash) || !copyBytes(select.text(10), head.key) || !copyBytes(select.text(11), head.signature) ||
        head.hash != event.hash || !isReason(head.reason) || !isGenuine(head)) {
        return false;
    }
    event.signedHead = textOf(head);
    return true;
}

bool isText(const StoredEvent& event) {
    return isUtf8(event.kind) && isUtf8(event.provenance) && isUtf8(event.subject) && isUtf8(event.detail);
}

} // namespace

struct LogReader::Impl {
    explicit Impl(Database opened)
        : database(std::move(opened)) {}
    Database database;
    LogId id{};

    // The event that comes before the first that is kept after `afterSeq`.
    Result<Head> before(std::uint64_t afterSeq);
};

Result<Head> LogReader::Impl::before(std::uint64_t afterSeq) {
    auto select = database.prepare("SELECT seq, hash FROM event WHERE seq <= ?1 UNION ALL SELECT seq, hash FROM cut WHERE seq <= max(?1, "
                                   "coalesce((SELECT min(seq) FROM event), 1) - 1) ORDER BY 1 DESC LIMIT 1");
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, whole(afterSeq));
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    Head head;
    if (*there && copyBytes(select->text(1), head.hash)) {
        head.seq = static_cast<std::uint64_t>(select->number(0));
    }
    return head;
}

Result<LogReader> LogReader::open(const std::filesystem::path& file) {
    auto database = Database::openToRead(file);
    if (!database) {
        return fail(std::move(database).error());
    }
    CARREL_TRY(database->run("PRAGMA temp_store=MEMORY; BEGIN")); // no file is opened later; one moment for all that is read
    auto version = checkSchema(*database);
    if (!version) {
        return fail(std::move(version).error());
    }
    if (*version < kSchemaVersion) {
        return fail(ErrorCode::Unsupported, "the activity log is of an earlier version of Carrel", "Once this version's engine has opened it, it can be read.");
    }
    CARREL_TRY(checkTables(*database));
    auto impl = std::make_unique<Impl>(std::move(*database));
    auto own = impl->database.prepare("SELECT id FROM log");
    if (!own) {
        return fail(std::move(own).error());
    }
    auto there = own->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there || !copyBytes(own->text(0), impl->id)) {
        return fail(ErrorCode::Conflict, "the activity log has lost its name", "\"carrel log verify\" tells more.");
    }
    return LogReader(std::move(impl));
}

LogReader::LogReader(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl)) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

const LogId& LogReader::id() const {
    return m_impl->id;
}

Result<std::uint64_t> LogReader::eventCount() {
    return oneNumber(m_impl->database.prepare("SELECT count(*) FROM event"));
}

Result<std::uint64_t> LogReader::beforeNewest(std::uint64_t most) {
    auto select = m_impl->database.prepare("SELECT seq FROM event ORDER BY seq DESC LIMIT 1 OFFSET ?");
    if (select) {
        select->bind(1, whole(most));
    }
    return oneNumber(std::move(select));
}

Status LogReader::events(std::uint64_t afterSeq, const std::function<Status(const StoredEvent&)>& each) {
    auto before = m_impl->before(afterSeq);
    if (!before) {
        return fail(std::move(before).error());
    }
    auto select = m_impl->database.prepare("SELECT e.seq, e.time_ns, e.kind, e.provenance, e.subject, e.detail, e.hash, s.hash, s.time_ns, s.reason, s.key, "
                                           "s.signature FROM event AS e LEFT JOIN signed_head AS s ON s.seq = e.seq WHERE e.seq > ? ORDER BY e.seq");
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, whole(afterSeq));
    Head last = *before;
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(more.error().wrap("the activity log cannot be read after event " + std::to_string(last.seq), "\"carrel log verify\" tells more."));
        }
        if (!*more) {
            return {};
        }
        auto row = eventRowOf(*select);
        if (!row) {
            return fail(std::move(row).error());
        }
        StoredEvent event{row->seq, row->timeNs, std::move(row->kind), std::move(row->provenance), std::move(row->subject), std::move(row->detail),
                          last.hash, row->hash, {}, true};
        auto hash = chainHash(event.previous, event.seq, event.timeNs, {event.kind, event.provenance, event.subject, event.detail});
        if (!hash) {
            return fail(std::move(hash).error());
        }
        const bool genuine = readHead(*select, m_impl->id, event);
        event.asWritten = genuine && event.seq == last.seq + 1 && *hash == event.hash && isText(event);
        last = {event.seq, event.hash};
        CARREL_TRY(each(event));
    }
}

Result<std::vector<RecordingRow>> LogReader::recordings() {
    return recordingsIn(m_impl->database);
}

Status LogReader::chunks(std::uint64_t recording, const std::function<Status(const RecordingChunk&)>& each) {
    std::string sql(kChunkColumns);
    sql.append("WHERE recording = ? ORDER BY number");
    auto select = m_impl->database.prepare(sql);
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, whole(recording));
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(more.error().wrap("recording " + std::to_string(recording) + " cannot be read"));
        }
        if (!*more) {
            return {};
        }
        auto chunk = chunkOf(*select);
        if (!chunk) {
            return fail(chunk.error().wrap("recording " + std::to_string(recording) + " cannot be exported", chunk.error().hint));
        }
        CARREL_TRY(each(*chunk));
    }
}

} // namespace carrel::activity
