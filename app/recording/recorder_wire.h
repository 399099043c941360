// SPDX-License-Identifier: Apache-2.0
// What the engine and a terminal's recorder say to each other, on a socket of their own. Each message: u32 length, little-endian, and
// so many bytes, checked before anything of it is kept.
//   engine → recorder, once   u16 columns, u16 rows, then SecretMarks::encode()
//   recorder → engine         an empty message: confined. Then pieces: u64 first, u64 last, u64 raw bytes, and the piece, which the
//                             engine keeps and never looks into
// Thread: values; a splitter has one owner.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::recording {

inline constexpr int kRecorderCaller = 3; // the descriptors of carrel-recorder: whose terminal it is,
inline constexpr int kRecorderClerk = 4;  // where the guest's bytes come from,
inline constexpr int kRecorderEngine = 5; // and who keeps the pieces
inline constexpr std::size_t kMaxRecorderMessage = 4 * 1024 * 1024 + 24;

struct RecorderSetup {
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
    std::string marks;
};

struct RecorderPiece {
    std::uint64_t firstUs = 0;
    std::uint64_t lastUs = 0;
    std::uint64_t rawBytes = 0;
    std::string data;
};

[[nodiscard]] std::string recorderMessage(std::string_view body);
[[nodiscard]] std::string encode(const RecorderSetup& setup); // whole messages
[[nodiscard]] std::string encode(const RecorderPiece& piece);
[[nodiscard]] Result<RecorderSetup> decodeSetup(std::string_view body);
[[nodiscard]] Result<RecorderPiece> decodePiece(std::string_view body);

class RecorderSplitter {
public:
    void feed(std::string_view bytes) { m_bytes += bytes; }
    // Nothing: not all of it has come. Malformed: too long.
    [[nodiscard]] Result<std::optional<std::string>> next();

private:
    std::string m_bytes;
};

} // namespace carrel::recording
