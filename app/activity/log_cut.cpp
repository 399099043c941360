// SPDX-License-Identifier: Apache-2.0
// How much a log takes, and leaving out its oldest part so that the rest can still be verified.
#include "app/activity/log_impl.h"

#include <algorithm>
#include <cstring>

namespace carrel::activity {

namespace {

constexpr std::int64_t kBesideTexts = 200; // what an event takes besides its texts, about
constexpr double kFilled = 0.9;            // what a cut leaves, of what may be: not every event cuts anew

// What each event takes, with the piece of a recording that it names. The names are those of the chain's own events.
constexpr std::string_view kWeights =
    "SELECT seq, length(CAST(subject AS BLOB)) + length(CAST(detail AS BLOB)) + CASE WHEN kind = 'recording.chunk' AND provenance = 'host' THEN "
    "coalesce((SELECT length(data) FROM recording_chunk WHERE recording = json_extract(detail, '$.recording') AND "
    "number = json_extract(detail, '$.number')), 0) ELSE 0 END FROM event ORDER BY seq";

std::string cutSql(std::uint64_t upTo) {
    const auto within = "seq <= " + std::to_string(upTo);
    return "INSERT INTO event_words (event_words, rowid, kind, subject, detail) SELECT 'delete', seq, kind, subject, detail FROM event "
           "WHERE " + within + " AND seq <= (SELECT seq FROM event_words_up_to);"
           "UPDATE event_words_up_to SET seq = max(seq, " + std::to_string(upTo) + ");"
           "DELETE FROM recording_chunk WHERE (recording, number) IN (SELECT json_extract(detail, '$.recording'), json_extract(detail, '$.number') "
           "FROM event WHERE " + within + " AND kind = 'recording.chunk' AND provenance = 'host');"
           "DELETE FROM recording WHERE id IN (SELECT json_extract(detail, '$.recording') FROM event WHERE " + within +
           " AND kind = 'recording.ended' AND provenance = 'host');"
           "DELETE FROM signed_head WHERE " + within + ";"
           "DELETE FROM event WHERE " + within + ";"
           "DELETE FROM cut WHERE seq < " + std::to_string(upTo);
}

} // namespace

Result<LogSize> ActivityLog::size() {
    const std::lock_guard lock(m_impl->mutex);
    auto pages = m_impl->database.pragma("page_count");
    auto unused = m_impl->database.pragma("freelist_count");
    auto bytes = m_impl->database.pragma("page_size");
    auto oldest = m_impl->database.prepare("SELECT seq, time_ns FROM event ORDER BY seq LIMIT 1");
    if (!pages || !unused || !bytes || !oldest) {
        return fail(!pages ? pages.error() : !unused ? unused.error() : !bytes ? bytes.error() : oldest.error());
    }
    auto there = oldest->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    LogSize out;
    out.last = m_impl->head.seq;
    out.bytes = static_cast<std::uint64_t>((*pages - *unused) * *bytes);
    if (*there) {
        out.first = static_cast<std::uint64_t>(oldest->number(0));
        out.firstNs = oldest->number(1);
    }
    return out;
}

Result<std::uint64_t> ActivityLog::lastBefore(std::int64_t timeNs) {
    const std::lock_guard lock(m_impl->mutex);
    // Up to the first event that is not older: clocks are set back, and no event in between goes without those before it.
    auto select = m_impl->database.prepare("SELECT coalesce((SELECT seq FROM event WHERE time_ns >= ? ORDER BY seq LIMIT 1), (SELECT max(seq) + 1 FROM event), 1) - 1");
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, timeNs);
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    return static_cast<std::uint64_t>(select->number(0));
}

Result<std::uint64_t> ActivityLog::lastToFit(std::uint64_t bytes) {
    auto now = size();
    if (!now) {
        return fail(std::move(now).error());
    }
    if (now->bytes <= bytes || now->first == 0) {
        return 0;
    }
    const std::lock_guard lock(m_impl->mutex);
    auto& database = m_impl->database;
    const auto walk = [&](const std::function<bool(std::uint64_t seq, std::int64_t weight)>& each) -> Status {
        auto select = database.prepare(kWeights);
        if (!select) {
            return fail(std::move(select).error());
        }
        for (;;) {
            auto more = select->step();
            if (!more) {
                return fail(std::move(more).error());
            }
            if (!*more || !each(static_cast<std::uint64_t>(select->number(0)), select->number(1) + kBesideTexts)) {
                return {};
            }
        }
    };
    double all = 0;
    CARREL_TRY(walk([&](std::uint64_t, std::int64_t weight) {
        all += static_cast<double>(weight);
        return true;
    }));
    const double scale = static_cast<double>(now->bytes) / std::max(all, 1.0);
    const double tooMuch = static_cast<double>(now->bytes) - static_cast<double>(bytes) * kFilled;
    double gone = 0;
    std::uint64_t last = 0;
    CARREL_TRY(walk([&](std::uint64_t seq, std::int64_t weight) {
        gone += static_cast<double>(weight) * scale;
        last = seq;
        return gone < tooMuch;
    }));
    return last;
}

Status ActivityLog::cut(std::uint64_t upToSeq) {
    const std::lock_guard lock(m_impl->mutex);
    if (upToSeq >= m_impl->head.seq) {
        return fail(ErrorCode::InvalidArgument, "the newest event of an activity log stays");
    }
    if (!m_impl->key) {
        return fail(ErrorCode::Unavailable, "the activity log is not shortened now: the key that would sign that is not at hand",
                    "It is in your keyring: unlock that. Nothing was left out.");
    }
    auto select = m_impl->database.prepare("SELECT hash, (SELECT min(seq) FROM event) FROM event WHERE seq = ?");
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, static_cast<std::int64_t>(upToSeq));
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there) {
        return {}; // gone already
    }
    SignedCut made;
    made.log = m_impl->id;
    made.seq = upToSeq;
    made.timeNs = nowNs();
    const auto hash = select->text(0);
    const auto first = select->number(1);
    if (hash.size() != made.hash.size()) {
        return fail(ErrorCode::Conflict, "event " + std::to_string(upToSeq) + " of the activity log was changed");
    }
    std::memcpy(made.hash.data(), hash.data(), hash.size());
    select->reset();
    CARREL_TRY(m_impl->key->sign(made));
    return m_impl->together([&](Head& last) -> Status {
        auto insert = m_impl->database.prepare("INSERT OR REPLACE INTO cut VALUES (?, ?, ?, ?, ?)");
        if (!insert) {
            return fail(std::move(insert).error());
        }
        insert->bind(1, static_cast<std::int64_t>(made.seq));
        insert->bindBlob(2, made.hash.data(), made.hash.size());
        insert->bind(3, made.timeNs);
        insert->bindBlob(4, made.key.data(), made.key.size());
        insert->bindBlob(5, made.signature.data(), made.signature.size());
        if (auto done = insert->step(); !done) {
            return fail(std::move(done).error());
        }
        CARREL_TRY(m_impl->database.run(cutSql(upToSeq)));
        Event event;
        event.kind = EventKind::LogCut;
        event.detail = {{"first", first}, {"up_to", upToSeq}};
        event.timeNs = made.timeNs;
        return m_impl->addEvent(last, std::move(event));
    });
}

} // namespace carrel::activity
