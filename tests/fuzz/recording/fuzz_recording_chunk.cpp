// SPDX-License-Identifier: Apache-2.0
// Whatever is kept as a piece of a recording: what is read of it is within bounds, in order, and reads the same when it is written again.
// An odd first byte: the rest is the piece; an even one: it is what was compressed.
#include "app/recording/chunk.h"

#include <cstdlib>

using namespace carrel::recording;

namespace {

constexpr std::uint64_t kFirstUs = 5;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto content = readChunk((data[0] & 1U) != 0 ? std::string(bytes) : compress(bytes).value(), kFirstUs);
    if (!content) {
        return 0;
    }
    require(content->columns >= 1 && content->columns <= 10000 && content->rows >= 1 && content->rows <= 10000);
    auto raw = chunkHead(content->columns, content->rows, content->screen);
    std::uint64_t before = kFirstUs;
    for (const auto& event : content->events) {
        require(event.us >= before && (event.code == 'o' || event.code == 'i' || event.code == 'r'));
        raw += castLine(event, before);
        before = event.us;
    }
    const auto again = readChunk(compress(raw).value(), kFirstUs);
    require(again ? again->screen == content->screen && again->events == content->events : raw.size() > kMaxChunkRaw);
    return 0;
}
