// SPDX-License-Identifier: Apache-2.0
// Any bytes, cut anywhere, into a decoder of either side. First byte: the side and the start; second: how the
// rest is cut. Whatever comes out must be within the frame's rules, and the cut must not matter.
#include "guest/protocol/frame.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;

namespace {

// Short input cannot hold the 65,556 zeros of a hello, so that one is given.
struct Reader {
    Reader(Side side, bool answered, std::uint32_t tag)
        : decoder(side, {.frame =
                             [this](Frame&& frame) {
                                 check(frame);
                                 frames.push_back(std::move(frame));
                             },
                         .epoch = [this](const Epoch&) { ++epochs; },
                         .spoilt = [this](std::string_view) { ++spoilt; }}) {
        Epoch epoch;
        epoch.tag = tag;
        if (side == Side::Host) {
            decoder.beginEpoch(epoch);
        }
        if (answered) {
            decoder.feed(side == Side::Host ? encodeGuestHello(epoch) : encodeHostHello(epoch));
        } else if (side == Side::Guest) {
            decoder.feed(Bytes(kMaxFrameBytes));
        }
    }

    static void check(const Frame& frame) {
        const bool control = frame.type == FrameType::Ping || frame.type == FrameType::Pong;
        if (frame.payload.size() > kMaxFramePayload || (frame.stream == 0) != control ||
            (frame.type == FrameType::Data && frame.payload.empty() && (frame.flags & kFlagEnd) == 0)) {
            std::abort();
        }
    }

    std::vector<Frame> frames;
    int epochs = 0;
    int spoilt = 0;
    FrameDecoder decoder;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const Side side = (data[0] & 1U) != 0 ? Side::Host : Side::Guest;
    const bool answered = (data[0] & 2U) != 0;
    const std::size_t piece = 1U + data[1];
    const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
    Reader whole(side, answered, 0x44332211);
    Reader cut(side, answered, 0x44332211);
    whole.decoder.feed(bytes);
    for (auto rest = bytes; !rest.empty();) {
        const auto part = rest.first(std::min(piece, rest.size()));
        cut.decoder.feed(part);
        rest = rest.subspan(part.size());
    }
    if (whole.frames != cut.frames || whole.epochs != cut.epochs || whole.spoilt != cut.spoilt ||
        whole.decoder.state() != cut.decoder.state()) {
        std::abort();
    }
    return 0;
}
