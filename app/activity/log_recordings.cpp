// SPDX-License-Identifier: Apache-2.0
// Recordings in the log's file.
#include "app/activity/log_impl.h"
#include "app/activity/recording_select.h"
#include "guest/protocol/share_path.h"

#include <algorithm>

namespace carrel::activity {

namespace {

std::int64_t whole(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX));
}

Error gone() {
    return {ErrorCode::NotFound, "there is no such recording", "\"carrel record list NAME\" shows those there are.", 0, nullptr};
}

Event aboutRecording(EventKind kind, std::uint64_t recording) {
    Event event;
    event.kind = kind;
    event.detail["recording"] = recording;
    return event;
}

Result<RecordingChunk> oneChunk(Result<Statement> select) {
    if (!select) {
        return fail(std::move(select).error());
    }
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there) {
        return fail(gone());
    }
    return chunkOf(*select);
}

} // namespace

Result<std::uint64_t> ActivityLog::beginRecording(const RecordingStart& start) {
    if (start.kind.empty() || start.kind.size() > kMaxRecordingKindBytes || start.title.size() > kMaxRecordingTitleBytes ||
        !isUtf8(start.kind) || !isUtf8(start.title)) {
        return fail(ErrorCode::InvalidArgument, "a recording has a kind and a title, both UTF-8 and not too long");
    }
    const std::lock_guard lock(m_impl->mutex);
    std::uint64_t number = 0;
    CARREL_TRY(m_impl->together([&](Head& last) -> Status {
        auto insert = m_impl->database.prepare("INSERT INTO recording VALUES (NULL, ?, ?, ?, ?, ?, NULL) RETURNING id");
        if (!insert) {
            return fail(std::move(insert).error());
        }
        const auto now = nowNs();
        insert->bind(1, now);
        insert->bind(2, start.kind);
        insert->bind(3, start.title);
        insert->bind(4, std::int64_t{start.columns});
        insert->bind(5, std::int64_t{start.rows});
        auto made = insert->step();
        if (!made) {
            return fail(made.error().wrap("the recording could not be begun"));
        }
        number = static_cast<std::uint64_t>(insert->number(0));
        auto event = aboutRecording(EventKind::RecordingStarted, number);
        event.subject = start.title;
        event.detail["kind"] = start.kind;
        event.detail["columns"] = start.columns;
        event.detail["rows"] = start.rows;
        event.timeNs = now;
        return m_impl->addEvent(last, std::move(event));
    }));
    return number;
}

Status ActivityLog::addChunk(const RecordingChunk& chunk) {
    if (chunk.data.size() > kMaxChunkBytes) {
        return fail(ErrorCode::LimitExceeded, "the piece of the recording is too long");
    }
    if (chunk.place.lastUs < chunk.place.firstUs || chunk.place.lastUs > INT64_MAX || chunk.place.rawBytes > INT64_MAX) {
        return fail(ErrorCode::InvalidArgument, "the piece of the recording ends before it begins, or is too long");
    }
    auto hash = sha256Of(chunk.data);
    if (!hash) {
        return fail(std::move(hash).error());
    }
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->together([&](Head& last) -> Status {
        auto known = m_impl->database.prepare("SELECT (SELECT coalesce(max(number), 0) FROM recording_chunk WHERE recording = ?1) "
                                              "FROM recording WHERE id = ?1 AND ended_ns IS NULL");
        if (!known) {
            return fail(std::move(known).error());
        }
        known->bind(1, whole(chunk.place.recording));
        auto there = known->step();
        if (!there) {
            return fail(std::move(there).error());
        }
        if (!*there || static_cast<std::uint64_t>(known->number(0)) + 1 != chunk.place.number) {
            return fail(ErrorCode::Conflict, "this is not the next piece of a recording that goes on");
        }
        auto insert = m_impl->database.prepare("INSERT INTO recording_chunk VALUES (?, ?, ?, ?, ?, ?, ?)");
        if (!insert) {
            return fail(std::move(insert).error());
        }
        insert->bind(1, whole(chunk.place.recording));
        insert->bind(2, whole(chunk.place.number));
        insert->bind(3, whole(chunk.place.firstUs));
        insert->bind(4, whole(chunk.place.lastUs));
        insert->bind(5, whole(chunk.place.rawBytes));
        insert->bindBlob(6, hash->data(), hash->size());
        insert->bindBlob(7, chunk.data.data(), chunk.data.size());
        if (auto done = insert->step(); !done) {
            return fail(done.error().wrap("a piece of the recording could not be kept"));
        }
        auto event = aboutRecording(EventKind::RecordingChunk, chunk.place.recording);
        event.detail["number"] = chunk.place.number;
        event.detail["first_us"] = chunk.place.firstUs; // so that nobody moves it
        event.detail["last_us"] = chunk.place.lastUs;
        event.detail["raw_bytes"] = chunk.place.rawBytes;
        event.detail["sha256"] = toHex(*hash);
        return m_impl->addEvent(last, std::move(event));
    });
}

Status ActivityLog::endRecording(std::uint64_t recording) {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->together([&](Head& last) -> Status {
        auto known = m_impl->database.prepare("SELECT ended_ns IS NULL, (SELECT count(*) FROM recording_chunk WHERE recording = ?1) FROM recording WHERE id = ?1");
        if (!known) {
            return fail(std::move(known).error());
        }
        known->bind(1, whole(recording));
        auto there = known->step();
        if (!there) {
            return fail(std::move(there).error());
        }
        if (!*there) {
            return fail(gone());
        }
        if (known->number(0) == 0) {
            return {};
        }
        auto event = aboutRecording(EventKind::RecordingEnded, recording);
        event.detail["chunks"] = known->number(1);
        event.timeNs = nowNs();
        auto update = m_impl->database.prepare("UPDATE recording SET ended_ns = ? WHERE id = ?");
        if (!update) {
            return fail(std::move(update).error());
        }
        update->bind(1, event.timeNs);
        update->bind(2, whole(recording));
        if (auto done = update->step(); !done) {
            return fail(std::move(done).error());
        }
        return m_impl->addEvent(last, std::move(event));
    });
}

Result<std::vector<RecordingRow>> ActivityLog::recordings() {
    const std::lock_guard lock(m_impl->mutex);
    return recordingsIn(m_impl->database);
}

Result<std::vector<ChunkPlace>> ActivityLog::chunks(std::uint64_t recording) {
    const std::lock_guard lock(m_impl->mutex);
    auto select = m_impl->database.prepare("SELECT recording, number, first_us, last_us, raw_bytes FROM recording_chunk WHERE recording = ? ORDER BY number");
    if (!select) {
        return fail(std::move(select).error());
    }
    select->bind(1, whole(recording));
    std::vector<ChunkPlace> out;
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(std::move(more).error());
        }
        if (!*more) {
            return out;
        }
        out.push_back(placeOf(*select));
    }
}

Result<RecordingChunk> ActivityLog::chunk(std::uint64_t recording, std::uint64_t number) {
    const std::lock_guard lock(m_impl->mutex);
    auto select = m_impl->database.prepare(std::string(kChunkColumns) + "WHERE recording = ? AND number = ?");
    if (select) {
        select->bind(1, whole(recording));
        select->bind(2, whole(number));
    }
    return oneChunk(std::move(select));
}

Result<RecordingChunk> ActivityLog::chunkAt(std::uint64_t recording, std::uint64_t timeUs) {
    const std::lock_guard lock(m_impl->mutex);
    auto select = m_impl->database.prepare(std::string(kChunkColumns) +
                                           "WHERE recording = ?1 AND number = coalesce((SELECT number FROM recording_chunk WHERE recording = ?1 AND first_us <= ?2 "
                                           "ORDER BY first_us DESC, number DESC LIMIT 1), (SELECT min(number) FROM recording_chunk WHERE recording = ?1))");
    if (select) {
        select->bind(1, whole(recording));
        select->bind(2, whole(timeUs));
    }
    return oneChunk(std::move(select));
}

} // namespace carrel::activity
