// SPDX-License-Identifier: Apache-2.0
// A piece of a recording as a broken recorder could hand it in: what is read is within its bounds, says the same when it is written
// again, and what is exported of it is nothing but what a terminal may be told, in JSON that holds no markup. The first byte says
// whether the rest is the piece itself or what it would be before it was compressed.
#include "app/export/json_text.h"
#include "app/export/shown_recording.h"
#include "app/recording/chunk.h"
#include "guest/protocol/share_path.h"

#include <boost/json.hpp>

#include <cstdlib>

using namespace carrel;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void checkText(const std::string& text) {
    require(isUtf8(text));
    require(api::TerminalFilter().feed(text) == text); // whole sequences, each of which may pass
    const auto safe = exporting::insideScript(exporting::jsonString(text));
    require(safe.find_first_of("<>&") == std::string::npos);
    boost::system::error_code error;
    require(boost::json::parse(safe, error) == boost::json::value(text) && !error);
}

// Times are told to a microsecond, and read as a double: beyond some years they are not the same any more.
constexpr std::uint64_t kExactUs = 1'000'000'000'000'000;

void checkAgain(const recording::ChunkContent& content, std::uint64_t firstUs) {
    std::string raw = recording::chunkHead(content.columns, content.rows, content.screen);
    auto before = firstUs;
    for (const auto& event : content.events) {
        require(event.us >= before);
        raw += recording::castLine(event, before);
        before = event.us;
    }
    if (raw.size() > recording::kMaxChunkRaw || before > kExactUs) {
        return;
    }
    const auto again = recording::readChunk(recording::compress(raw).value(), firstUs);
    require(again && again->columns == content.columns && again->rows == content.rows && again->screen == content.screen && again->events == content.events);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string piece = data[0] % 2 == 0 ? std::string(rest) : recording::compress(rest).value();
    constexpr std::uint64_t kFirst = 1'500'000;
    if (const auto content = recording::readChunk(piece, kFirst)) {
        checkAgain(*content, kFirst);
    }
    exporting::ShownRecording shown;
    for (const std::uint64_t number : {1U, 2U, 4U}) {
        const auto out = shown.next({{1, number, kFirst * number, kFirst * number + 5, 0}, piece});
        if (!out) {
            break;
        }
        checkText(out->screen);
        auto before = out->firstUs;
        for (const auto& event : out->events) {
            require(event.us >= before);
            before = event.us;
            if (event.code == 'o') {
                checkText(event.text);
            }
        }
        require(out->lastUs >= before);
    }
    return 0;
}
