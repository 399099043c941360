// SPDX-License-Identifier: Apache-2.0
// Takes a body out of its framing (RFC 9112, sections 6 and 7), piece by piece, holding nothing back. Chunk extensions and trailers are
// read, bounded, and left out. Ownership: one for each message. Thread: one.
#pragma once

#include "app/relay/http_head.h"
#include "guest/protocol/bytes.h"

namespace carrel::relay {

inline constexpr std::size_t kMaxChunkLine = 256;         // a size and its extensions
inline constexpr std::size_t kMaxExtensions = 16 * 1024;  // of all chunks together: each costs work and brings nothing
inline constexpr std::size_t kMaxTrailers = 8 * 1024;

class BodyReader {
public:
    explicit BodyReader(BodyEnd end = {});

    struct Step {
        std::size_t taken = 0; // of what was given
        ByteSpan data;         // of it, what belongs to the body
    };
    // 0 taken: all that was given is used up, or it is done.
    [[nodiscard]] HttpResult<Step> next(ByteSpan in);
    [[nodiscard]] bool isDone() const { return m_state == State::Done; }
    // The sender has ended: whether that is the body's end, too.
    [[nodiscard]] bool mayEndHere() const { return m_state == State::Done || m_state == State::ToEnd; }

private:
    enum class State { Length, ChunkLine, ChunkData, ChunkBreak, Trailers, ToEnd, Done };
    [[nodiscard]] HttpResult<Step> takeData(ByteSpan in, State next);
    [[nodiscard]] HttpResult<Step> takeLine(ByteSpan in);
    [[nodiscard]] HttpResult<Step> endLine(std::size_t taken);

    State m_state;
    std::uint64_t m_left; // of the body, or of a chunk
    std::string m_line;   // without its break, as far as it has come
    std::size_t m_extensions = 0;
    std::size_t m_trailers = 0;
};

} // namespace carrel::relay
