// SPDX-License-Identifier: Apache-2.0
#include "app/relay/end.h"

namespace carrel::relay {

namespace {

// As much of `bytes` as a queue of at most kMostHeld has room for.
std::size_t appendBounded(ByteQueue& queue, ByteSpan bytes) {
    const auto count = std::min(bytes.size(), kMostHeld - std::min(queue.size(), kMostHeld));
    queue.append(bytes.first(count));
    return count;
}

} // namespace

std::size_t PlainEnd::feed(ByteSpan wire) {
    return appendBounded(m_in, wire);
}

Bytes PlainEnd::takeOutput(std::size_t most) {
    const auto piece = m_out.front().first(std::min(most, m_out.size()));
    Bytes out(piece.begin(), piece.end());
    m_out.drop(out.size());
    return out;
}

std::size_t PlainEnd::read(ByteQueue& into, std::size_t most) {
    const auto piece = m_in.front().first(std::min(most, m_in.size()));
    into.append(piece);
    m_in.drop(piece.size());
    return piece.size();
}

std::size_t PlainEnd::write(ByteSpan plain) {
    return m_closed || m_state != State::Open ? 0 : appendBounded(m_out, plain);
}

} // namespace carrel::relay
