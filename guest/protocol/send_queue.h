// SPDX-License-Identifier: Apache-2.0
// What one stream of a Mux still has to send: whole messages or plain bytes, cut into frames on the way out.
// Ownership: inside one stream. Thread: that Mux's.
#pragma once

#include "guest/protocol/bytes.h"

#include <deque>

namespace carrel::detail {

class SendQueue {
public:
    struct Piece {
        ByteSpan data; // valid until the queue is next changed
        bool finishesMessage = false;
    };

    void pushMessage(ByteSpan message) { push(message); }
    // Small pieces are joined, so that a writer of single bytes costs neither a frame nor an allocation for
    // each.
    void pushBytes(ByteSpan bytes);
    [[nodiscard]] std::size_t bytes() const { return m_bytes; }
    [[nodiscard]] bool empty() const { return m_chunks.empty(); }
    // The next `max` bytes at most, never beyond the end of a message. The queue must not be empty.
    [[nodiscard]] Piece front(std::size_t max) const;
    void pop(std::size_t count); // of the front piece

private:
    void push(ByteSpan bytes);

    std::deque<Bytes> m_chunks; // none is empty
    std::size_t m_used = 0;     // of the first chunk
    std::size_t m_bytes = 0;
};

} // namespace carrel::detail
