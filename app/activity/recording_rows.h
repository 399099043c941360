// SPDX-License-Identifier: Apache-2.0
// A recording as the log keeps it: pieces of bytes whose meaning is app/recording's. Thread: values.
#pragma once

#include "app/activity/event.h"

#include <cstdint>
#include <string>

namespace carrel::activity {

inline constexpr std::size_t kMaxChunkBytes = 4 * 1024 * 1024;   // of one piece, as stored
inline constexpr std::size_t kMaxRecordingTitleBytes = 1024;
inline constexpr std::size_t kMaxRecordingKindBytes = 32;

struct RecordingStart {
    std::string kind;  // "exec", "terminal", "agent": whose terminal it was
    std::string title; // the command, in the owner's or the guest's words; UTF-8
    std::uint32_t columns = 0;
    std::uint32_t rows = 0;
};

struct RecordingRow {
    std::uint64_t id = 0;
    RecordingStart start;
    std::int64_t startedNs = 0; // since 1970 UTC
    std::int64_t endedNs = 0;   // 0: it goes on, or nobody could say any more when it ended
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;    // as stored
    std::uint64_t lastUs = 0;   // since its beginning: the newest moment that is kept
};

// Times are microseconds since the recording began.
struct ChunkPlace {
    std::uint64_t recording = 0;
    std::uint64_t number = 0; // 1, 2, 3 …
    std::uint64_t firstUs = 0;
    std::uint64_t lastUs = 0;
    std::uint64_t rawBytes = 0; // before it was compressed
};

struct RecordingChunk {
    ChunkPlace place;
    std::string data; // bytes
};

} // namespace carrel::activity
