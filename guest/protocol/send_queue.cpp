// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/send_queue.h"

#include "guest/protocol/frame.h"

#include <algorithm>

namespace carrel::detail {

void SendQueue::push(ByteSpan bytes) {
    m_chunks.emplace_back(bytes.begin(), bytes.end());
    m_bytes += bytes.size();
}

void SendQueue::pushBytes(ByteSpan bytes) {
    if (!m_chunks.empty() && m_chunks.back().size() + bytes.size() <= kMaxFramePayload) {
        m_chunks.back().insert(m_chunks.back().end(), bytes.begin(), bytes.end());
        m_bytes += bytes.size();
    } else {
        push(bytes);
    }
}

SendQueue::Piece SendQueue::front(std::size_t max) const {
    const ByteSpan rest = ByteSpan(m_chunks.front()).subspan(m_used);
    return {rest.first(std::min(max, rest.size())), rest.size() <= max};
}

void SendQueue::pop(std::size_t count) {
    m_used += count;
    m_bytes -= count;
    if (m_used == m_chunks.front().size()) {
        m_chunks.pop_front();
        m_used = 0;
    }
}

} // namespace carrel::detail
