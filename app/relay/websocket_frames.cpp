// SPDX-License-Identifier: Apache-2.0
#include "app/relay/websocket_frames.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr std::size_t kHead = 2, kMask = 4;
constexpr std::uint8_t kMasked = 0x80, kLength = 0x7f, kTwoMore = 126, kEightMore = 127;

std::size_t lengthBytes(std::uint8_t second) {
    const auto length = second & kLength;
    return length == kTwoMore ? 2 : length == kEightMore ? 8 : 0;
}

} // namespace

std::size_t WebSocketFrames::headSize() const {
    return m_have < kHead ? kHead : kHead + lengthBytes(m_head[1]) + ((m_head[1] & kMasked) != 0 ? kMask : 0);
}

void WebSocketFrames::beginPayload() {
    const auto more = lengthBytes(m_head[1]);
    m_left = more == 0 ? m_head[1] & kLength : 0;
    for (std::size_t i = 0; i < more; ++i) {
        m_left = m_left << 8U | m_head[kHead + i];
    }
    for (std::size_t i = 0; i < kMask; ++i) {
        m_mask[i] = (m_head[1] & kMasked) != 0 ? std::byte{m_head[kHead + more + i]} : std::byte{0};
    }
    m_have = 0;
    m_turn = 0;
}

void WebSocketFrames::read(ByteSpan in, Bytes& payload) {
    while (!in.empty()) {
        if (m_left == 0) {
            m_head[m_have++] = std::to_integer<std::uint8_t>(in.front());
            in = in.subspan(1);
            if (m_have >= kHead && m_have == headSize()) {
                beginPayload();
            }
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(m_left, in.size()));
        for (const auto byte : in.first(count)) {
            payload.push_back(byte ^ m_mask[m_turn]);
            m_turn = (m_turn + 1) % kMask;
        }
        m_left -= count;
        in = in.subspan(count);
    }
}

} // namespace carrel::relay
