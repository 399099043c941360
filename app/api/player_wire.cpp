// SPDX-License-Identifier: Apache-2.0
#include "app/api/player_wire.h"

namespace carrel::api::player {

namespace {

enum Kind : std::uint8_t { kPiece = 1, kUntil = 2, kDrawn = 3 };

void put(std::string& out, std::uint64_t number, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
        out += static_cast<char>(static_cast<std::uint8_t>(number >> (8U * i)));
    }
}

std::string message(Kind kind, std::string_view body) {
    std::string out;
    out.reserve(5 + body.size());
    put(out, 1 + body.size(), 4);
    put(out, kind, 1);
    out += body;
    return out;
}

// From the front; false: not so much is left.
bool take(std::string_view& rest, std::size_t bytes, std::uint64_t& to) {
    if (rest.size() < bytes) {
        return false;
    }
    to = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        to |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(rest[i])) << (8U * i);
    }
    rest.remove_prefix(bytes);
    return true;
}

tl::unexpected<Error> malformed() {
    return fail(ErrorCode::Malformed, "what draws the recording and the window do not understand each other");
}

} // namespace

std::string encode(const Piece& piece) {
    std::string body;
    body.reserve(9 + piece.data.size());
    put(body, piece.how == Piece::How::BeginsAnew ? 1 : 0, 1);
    put(body, piece.firstUs, 8);
    return message(kPiece, body + piece.data);
}

std::string encode(const Until& until) {
    std::string body;
    put(body, until.order, 4);
    put(body, until.us, 8);
    return message(kUntil, body);
}

std::string encode(const Drawn& drawn) {
    std::string body;
    put(body, drawn.order, 4);
    put(body, drawn.nextUs ? 1 : 0, 1);
    if (drawn.nextUs) {
        put(body, *drawn.nextUs, 8);
    }
    return message(kDrawn, body);
}

Result<ToPlayer> decodeToPlayer(std::string_view message) {
    std::uint64_t kind = 0;
    std::uint64_t first = 0;
    std::uint64_t us = 0;
    if (!take(message, 1, kind)) {
        return malformed();
    }
    if (kind == kPiece && take(message, 1, first) && first <= 1 && take(message, 8, us) && message.size() <= kMaxPieceBytes) {
        return Piece{first == 1 ? Piece::How::BeginsAnew : Piece::How::GoesOn, us, std::string(message)};
    }
    if (kind == kUntil && take(message, 4, first) && take(message, 8, us) && message.empty()) {
        return Until{static_cast<std::uint32_t>(first), us};
    }
    return malformed();
}

Result<Drawn> decodeDrawn(std::string_view message) {
    std::uint64_t kind = 0;
    std::uint64_t order = 0;
    std::uint64_t more = 0;
    std::uint64_t us = 0;
    if (!take(message, 1, kind) || kind != kDrawn || !take(message, 4, order) || !take(message, 1, more) || more > 1 ||
        (more == 1 && !take(message, 8, us)) || !message.empty()) {
        return malformed();
    }
    return Drawn{static_cast<std::uint32_t>(order), more == 1 ? std::optional(us) : std::nullopt};
}

} // namespace carrel::api::player
