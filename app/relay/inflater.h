// SPDX-License-Identifier: Apache-2.0
// Takes apart what was compressed by DEFLATE (RFC 1950, 1951, 1952), a piece at a time, by zlib. What that comes to is bounded by whoever
// calls. Ownership: one stream after the other; about 45 KiB once it has begun. Thread: one.
#pragma once

#include "guest/protocol/bytes.h"

#include <memory>

struct z_stream_s;

namespace carrel::relay {

class Inflater {
public:
    Inflater();
    ~Inflater();
    Inflater(Inflater&&) noexcept;
    Inflater& operator=(Inflater&&) noexcept;

    enum class Format { Gzip, Zlib, Raw };
    void begin(Format format); // also in the middle of another one, which is forgotten

    enum class State { Going, Ended, Bad }; // Bad: it is no such stream, or none any more
    struct Step {
        std::size_t taken = 0; // of what was given
        ByteSpan out;          // until the next call
        State state = State::Going;
    };
    // Going, and nothing was taken and nothing came out: all that was given is used up.
    [[nodiscard]] Step next(ByteSpan in);

private:
    struct End {
        void operator()(z_stream_s* stream) const;
    };
    std::unique_ptr<z_stream_s, End> m_stream;
    Bytes m_out;
};

} // namespace carrel::relay
