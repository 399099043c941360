// SPDX-License-Identifier: Apache-2.0
// What a window and carrel-player (app/recording/player.h), which draws recordings for it, say to each other on a socket of their own.
// The pictures come as a terminal's do (terminal_wire.h), on the other one. The window looks into no piece, as it is a guest's words
// (invariant I1), and keeps the time: the player draws what it is told to, and says when there is more to be drawn.
// Each message: u32 length of the rest, u8 kind, body; numbers little-endian; moments in microseconds since the recording began.
//   from the window
//     Piece  u8 1: it begins with the piece's screen, 0: it goes on from where the one before ended; u64 its first moment; the piece
//     Until  u32 number of the order, u64 moment: draw what happened up to then
//   to the window
//     Drawn  u32 number of the order, u8 1 and u64 moment of what comes next in the piece, or u8 0: there is nothing more in it
// Does no I/O. Thread: values, pure functions. Messages are cut by terminal::MessageSplitter.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace carrel::api::player {

inline constexpr std::size_t kMaxPieceBytes = 4 * 1024 * 1024; // as the log keeps one
inline constexpr std::size_t kMaxToPlayer = 1 + 1 + 8 + kMaxPieceBytes;
inline constexpr std::size_t kMaxToWindow = 1 + 4 + 1 + 8;

struct Piece {
    enum class How : std::uint8_t { GoesOn, BeginsAnew };
    How how = How::BeginsAnew;
    std::uint64_t firstUs = 0;
    std::string data;
};
struct Until {
    std::uint32_t order = 0;
    std::uint64_t us = 0;
};
struct Drawn {
    std::uint32_t order = 0;
    std::optional<std::uint64_t> nextUs;
};
using ToPlayer = std::variant<Piece, Until>;

// Whole messages. Precondition: the piece is no longer than kMaxPieceBytes.
[[nodiscard]] std::string encode(const Piece& piece);
[[nodiscard]] std::string encode(const Until& until);
[[nodiscard]] std::string encode(const Drawn& drawn);
// Malformed: anything else than the one form.
[[nodiscard]] Result<ToPlayer> decodeToPlayer(std::string_view message);
[[nodiscard]] Result<Drawn> decodeDrawn(std::string_view message);

} // namespace carrel::api::player
