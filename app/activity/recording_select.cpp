// SPDX-License-Identifier: Apache-2.0
#include "app/activity/recording_select.h"

#include <openssl/evp.h>

#include <cstring>

namespace carrel::activity {

Result<Hash> sha256Of(std::string_view data) {
    Hash hash{};
    unsigned int length = 0;
    if (EVP_Digest(data.data(), data.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    return hash;
}

ChunkPlace placeOf(const Statement& statement) {
    ChunkPlace place;
    place.recording = static_cast<std::uint64_t>(statement.number(0));
    place.number = static_cast<std::uint64_t>(statement.number(1));
    place.firstUs = static_cast<std::uint64_t>(statement.number(2));
    place.lastUs = static_cast<std::uint64_t>(statement.number(3));
    place.rawBytes = static_cast<std::uint64_t>(statement.number(4));
    return place;
}

Result<RecordingChunk> chunkOf(const Statement& statement) {
    RecordingChunk out{placeOf(statement), statement.text(6)};
    auto hash = sha256Of(out.data);
    if (!hash) {
        return fail(std::move(hash).error());
    }
    const auto stored = statement.text(5);
    if (stored.size() != hash->size() || std::memcmp(stored.data(), hash->data(), hash->size()) != 0) {
        return fail(ErrorCode::Conflict, "this piece of the recording was changed", "\"carrel log verify\" tells which event names it.");
    }
    return out;
}

Result<std::vector<RecordingRow>> recordingsIn(Database& database) {
    auto select = database.prepare("SELECT id, kind, title, columns, rows, started_ns, coalesce(ended_ns, 0), "
                                   "(SELECT count(*) FROM recording_chunk WHERE recording = id), "
                                   "(SELECT coalesce(sum(length(data)), 0) FROM recording_chunk WHERE recording = id), "
                                   "(SELECT coalesce(max(last_us), 0) FROM recording_chunk WHERE recording = id) FROM recording ORDER BY id");
    if (!select) {
        return fail(std::move(select).error());
    }
    std::vector<RecordingRow> out;
    for (;;) {
        auto more = select->step();
        if (!more) {
            return fail(std::move(more).error());
        }
        if (!*more) {
            return out;
        }
        RecordingRow row;
        row.id = static_cast<std::uint64_t>(select->number(0));
        row.start.kind = select->text(1);
        row.start.title = select->text(2);
        row.start.columns = static_cast<std::uint32_t>(select->number(3));
        row.start.rows = static_cast<std::uint32_t>(select->number(4));
        row.startedNs = select->number(5);
        row.endedNs = select->number(6);
        row.chunks = static_cast<std::uint64_t>(select->number(7));
        row.bytes = static_cast<std::uint64_t>(select->number(8));
        row.lastUs = static_cast<std::uint64_t>(select->number(9));
        out.push_back(std::move(row));
    }
}

} // namespace carrel::activity
