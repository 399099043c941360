// SPDX-License-Identifier: Apache-2.0
// Recordings as rows of the log's tables, for who writes the log and for who only reads it. Private to app/activity.
// Thread: that of the database.
#pragma once

#include "app/activity/database.h"
#include "app/activity/event.h"
#include "app/activity/recording_rows.h"

#include <string_view>
#include <vector>

namespace carrel::activity {

inline constexpr std::string_view kChunkColumns = "SELECT recording, number, first_us, last_us, raw_bytes, sha256, data FROM recording_chunk ";

[[nodiscard]] Result<Hash> sha256Of(std::string_view data);
// Oldest first.
[[nodiscard]] Result<std::vector<RecordingRow>> recordingsIn(Database& database);
// Of a statement that began with `SELECT recording, number, first_us, last_us, raw_bytes`.
[[nodiscard]] ChunkPlace placeOf(const Statement& statement);
// Of one that began with kChunkColumns. Conflict: its bytes are not those that its hash tells of.
[[nodiscard]] Result<RecordingChunk> chunkOf(const Statement& statement);

} // namespace carrel::activity
