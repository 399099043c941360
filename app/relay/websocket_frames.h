// SPDX-License-Identifier: Apache-2.0
// What a program says in a WebSocket's frames (RFC 6455, section 5.2), with their masks taken off, so that it can be searched. Whatever
// the frames are, their payloads are handed out one behind the other: messages that are cut into frames are whole again, and what is no
// frame at all comes out as nonsense. Ownership: one for each connection. Thread: one.
#pragma once

#include "guest/protocol/bytes.h"

#include <array>
#include <cstdint>

namespace carrel::relay {

class WebSocketFrames {
public:
    // Appends the payload of what comes.
    void read(ByteSpan in, Bytes& payload);

private:
    static constexpr std::size_t kMostHead = 14;
    [[nodiscard]] std::size_t headSize() const; // as far as it is known
    void beginPayload();

    std::array<std::uint8_t, kMostHead> m_head{};
    std::size_t m_have = 0; // of the head
    std::array<std::byte, 4> m_mask{};
    std::uint64_t m_left = 0; // of the payload
    std::size_t m_turn = 0;   // of the mask
};

} // namespace carrel::relay
