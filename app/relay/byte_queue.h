// SPDX-License-Identifier: Apache-2.0
// Bytes on their way: appended at the end, taken at the front, in one piece of memory. What a secret passed through is wiped as
// soon as the queue is empty. Bounds are the user's of the queue to keep. Thread: one.
#pragma once

#include "app/relay/secret_text.h"
#include "guest/protocol/bytes.h"

#include <algorithm>

namespace carrel::relay {

class ByteQueue {
public:
    [[nodiscard]] std::size_t size() const { return m_bytes.size() - m_begin; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] ByteSpan front() const { return ByteSpan(m_bytes).subspan(m_begin); }

    void append(ByteSpan bytes) {
        compact();
        m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    }
    void append(std::string_view text) { append(asBytes(text)); }
    void appendSecret(std::string_view text) {
        append(text);
        m_secret = true;
    }
    // Room for `count` bytes at the end, to be written by the caller, who says with shrink() how many of them are none.
    [[nodiscard]] std::span<std::byte> grow(std::size_t count) {
        compact();
        const auto before = m_bytes.size();
        m_bytes.resize(before + count);
        return std::span(m_bytes).subspan(before);
    }
    void shrink(std::size_t count) { m_bytes.resize(m_bytes.size() - count); }

    void drop(std::size_t count) {
        m_begin += std::min(count, size());
        if (empty()) {
            clear();
        }
    }
    void clear() {
        if (m_secret) {
            giveBack(); // and so wiped, all of it
            m_secret = false;
        }
        m_bytes.clear();
        m_begin = 0;
    }

    // Gives the memory of an empty queue back.
    void rest() {
        if (empty()) {
            giveBack();
        }
    }

private:
    void giveBack() {
        decltype(m_bytes)().swap(m_bytes); // assigning {} would keep the memory
        m_begin = 0;
    }
    void compact() {
        if (m_begin > size()) {
            m_bytes.erase(m_bytes.begin(), m_bytes.begin() + static_cast<std::ptrdiff_t>(m_begin));
            m_begin = 0;
        }
    }

    std::vector<std::byte, WipingAllocator<std::byte>> m_bytes;
    std::size_t m_begin = 0;
    bool m_secret = false;
};

} // namespace carrel::relay
