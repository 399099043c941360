// SPDX-License-Identifier: Apache-2.0
#include "app/recording/recorder_wire.h"

#include "guest/protocol/bytes.h"

namespace carrel::recording {

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kSetupHead = 4;
constexpr std::size_t kPieceHead = 24;

void put(std::string& to, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
        to += static_cast<char>(value >> (8 * i) & 0xffU);
    }
}

} // namespace

std::string recorderMessage(std::string_view body) {
    std::string out;
    put(out, body.size(), kLengthBytes);
    out += body;
    return out;
}

std::string encode(const RecorderSetup& setup) {
    std::string body;
    put(body, setup.columns, 2);
    put(body, setup.rows, 2);
    return recorderMessage(body + setup.marks);
}

std::string encode(const RecorderPiece& piece) {
    std::string body;
    put(body, piece.firstUs, 8);
    put(body, piece.lastUs, 8);
    put(body, piece.rawBytes, 8);
    return recorderMessage(body + piece.data);
}

Result<RecorderSetup> decodeSetup(std::string_view body) {
    if (body.size() < kSetupHead) {
        return fail(ErrorCode::Malformed, "the recorder was told too little");
    }
    const auto bytes = asBytes(body);
    return RecorderSetup{loadLe<std::uint16_t>(bytes), loadLe<std::uint16_t>(bytes, 2), std::string(body.substr(kSetupHead))};
}

Result<RecorderPiece> decodePiece(std::string_view body) {
    if (body.size() <= kPieceHead) {
        return fail(ErrorCode::Malformed, "the recorder sent a piece without anything in it");
    }
    const auto bytes = asBytes(body);
    return RecorderPiece{loadLe<std::uint64_t>(bytes), loadLe<std::uint64_t>(bytes, 8), loadLe<std::uint64_t>(bytes, 16),
                         std::string(body.substr(kPieceHead))};
}

Result<std::optional<std::string>> RecorderSplitter::next() {
    if (m_bytes.size() < kLengthBytes) {
        return std::optional<std::string>();
    }
    const std::size_t length = loadLe<std::uint32_t>(asBytes(m_bytes));
    if (length > kMaxRecorderMessage) {
        return fail(ErrorCode::Malformed, "a message between the engine and a recorder is too long");
    }
    if (m_bytes.size() < kLengthBytes + length) {
        return std::optional<std::string>();
    }
    std::string out = m_bytes.substr(kLengthBytes, length);
    m_bytes.erase(0, kLengthBytes + length);
    return std::optional(std::move(out));
}

} // namespace carrel::recording
