// SPDX-License-Identifier: Apache-2.0
// What is in one piece of a recording (app/activity/recording_rows.h): zstd (RFC 8878) of lines. The first is an object, what the
// screen was when the piece begins, so that playing can begin there; each further one is an event of asciicast v3
// (docs.asciinema.org/manual/asciicast/v3): [seconds since the one before, code, text], the first one since the piece's beginning.
// Codes: "o" output, "i" input that the terminal showed back, "r" a new size, as "80x24".
// A reader believes nothing of it: the recorder that made it reads a guest's bytes. Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::recording {

inline constexpr std::size_t kMaxChunkRaw = 4 * 1024 * 1024; // a screen may be full of the costliest cells
inline constexpr std::size_t kChunkRaw = 256 * 1024;         // after which one is ended

struct CastEvent {
    std::uint64_t us = 0; // since the recording began
    char code = 'o';
    std::string text;
    bool operator==(const CastEvent&) const = default;
};

struct ChunkContent {
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
    std::string screen; // what draws it on an empty screen
    std::vector<CastEvent> events;
};

[[nodiscard]] std::string chunkHead(std::uint16_t columns, std::uint16_t rows, std::string_view screen); // a line
[[nodiscard]] std::string castLine(const CastEvent& event, std::uint64_t beforeUs);                      // a line
[[nodiscard]] Result<std::string> compress(std::string_view raw);
// Malformed: anything else than the one form. LimitExceeded: more than kMaxChunkRaw.
[[nodiscard]] Result<ChunkContent> readChunk(std::string_view compressed, std::uint64_t firstUs);

} // namespace carrel::recording
