// SPDX-License-Identifier: Apache-2.0
// What the tests of the codec share: epochs, a decoder that records, and two Muxes wired together.
#pragma once

#include "guest/protocol/mux.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace carrel::testing {

inline Epoch epochOf(int number) {
    std::array<std::byte, 20> random{};
    std::mt19937 source(static_cast<unsigned>(number));
    for (auto& value : random) {
        value = static_cast<std::byte>(source() & 0xffU);
    }
    return Epoch::fromRandom(random);
}

inline Bytes frameBytes(const Epoch& epoch, FrameType type, std::uint8_t flags, std::uint32_t stream,
                        ByteSpan payload) {
    Bytes out;
    encodeFrame(out, epoch.tag, type, flags, stream, payload);
    return out;
}
inline Bytes dataFrame(const Epoch& epoch, std::uint32_t stream, ByteSpan payload,
                       std::uint8_t flags = kFlagNone) {
    return frameBytes(epoch, FrameType::Data, flags, stream, payload);
}
inline Bytes u32(std::uint32_t value) {
    Bytes out;
    appendLe(out, value);
    return out;
}
inline Bytes operator+(Bytes left, ByteSpan right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}
inline Bytes randomBytes(std::mt19937& random, std::size_t size) {
    Bytes out(size);
    for (auto& value : out) {
        value = static_cast<std::byte>(random() & 0xffU);
    }
    return out;
}
inline std::size_t below(std::mt19937& random, std::size_t bound) {
    return bound == 0 ? 0 : random() % bound;
}

// A decoder that writes down what it says.
struct Recorder {
    explicit Recorder(Side side)
        : decoder(side, {.frame = [this](Frame&& frame) { frames.push_back(std::move(frame)); },
                         .epoch = [this](const Epoch& epoch) { epochs.push_back(epoch); },
                         .spoilt =
                             [this](std::string_view why) {
                                 spoilt.emplace_back(why);
                                 if (onSpoilt) {
                                     onSpoilt();
                                 }
                             }}) {}

    void feedInPieces(ByteSpan bytes, std::mt19937& random, std::size_t largest) {
        while (!bytes.empty()) {
            const std::size_t size = std::min(bytes.size(), 1 + below(random, largest));
            decoder.feed(bytes.first(size));
            bytes = bytes.subspan(size);
        }
    }

    std::vector<Frame> frames;
    std::vector<Epoch> epochs;
    std::vector<std::string> spoilt;
    std::function<void()> onSpoilt;
    FrameDecoder decoder;
};

// A Mux that writes down what it says; consumption is the test's business.
struct Station {
    explicit Station(Side side, Mux::Options options = {})
        : mux(side,
              {.data =
                   [this](std::uint32_t stream, Bytes&& data) {
                       held[stream] += data.size();
                       got[stream].push_back(std::move(data));
                   },
               .end = [this](std::uint32_t stream) { ended.push_back(stream); },
               .reset = [this](std::uint32_t stream,
                               std::uint32_t reason) { resets.emplace_back(stream, reason); },
               .writable = [this](std::uint32_t stream) { writable.push_back(stream); },
               .epoch =
                   [this](const Epoch& epoch) {
                       epochs.push_back(epoch);
                       if (onEpoch) {
                           onEpoch();
                       }
                   },
               .spoilt = [this](std::string_view why) { spoilt.emplace_back(why); },
               .accept = [this](std::uint32_t stream) -> std::optional<StreamKind> {
                   return accept ? accept(stream) : std::nullopt;
               }},
              options) {}

    void consume(std::uint32_t stream) { mux.consumed(stream, std::exchange(held[stream], 0)); }
    [[nodiscard]] Bytes joined(std::uint32_t stream) const {
        Bytes out;
        if (const auto at = got.find(stream); at != got.end()) {
            for (const auto& piece : at->second) {
                out.insert(out.end(), piece.begin(), piece.end());
            }
        }
        return out;
    }

    std::map<std::uint32_t, std::vector<Bytes>> got;
    std::map<std::uint32_t, std::size_t> held;
    std::vector<std::uint32_t> ended;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> resets;
    std::vector<std::uint32_t> writable;
    std::vector<Epoch> epochs;
    std::vector<std::string> spoilt;
    std::function<std::optional<StreamKind>(std::uint32_t)> accept;
    std::function<void()> onEpoch;
    Mux mux;
};

// Moves bytes both ways until neither side has any.
inline void pump(Station& a, Station& b) {
    for (bool moved = true; moved;) {
        const Bytes there = a.mux.takeOutput();
        b.mux.feed(there);
        const Bytes back = b.mux.takeOutput();
        a.mux.feed(back);
        moved = !there.empty() || !back.empty();
    }
}

} // namespace carrel::testing
