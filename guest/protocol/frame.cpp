// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/frame.h"

#include "guest/protocol/hello_seeker.h"

#include <algorithm>
#include <cstdlib>

namespace carrel {

namespace {

constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 8;
constexpr std::size_t kFlagsAt = 9;
constexpr std::size_t kZeroAt = 10;
constexpr std::size_t kStreamAt = 12;

std::uint32_t withoutZeroBytes(std::uint32_t tag) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        if (((tag >> shift) & 0xffU) == 0) {
            tag |= 0xffU << shift;
        }
    }
    return tag;
}

void appendHello(Bytes& out, const std::array<std::uint8_t, kMarkerBytes>& marker, const Epoch& epoch) {
    for (const auto value : marker) {
        out.push_back(std::byte{value});
    }
    out.insert(out.end(), epoch.nonce.begin(), epoch.nonce.end());
    appendLe(out, epoch.tag);
}

// What is wrong with a frame of this type, or nothing.
std::string_view checkShape(std::uint8_t type, std::uint8_t flags, std::uint32_t length,
                            std::uint32_t stream) {
    const auto exactly = [&](std::size_t bytes, bool onStream, std::uint8_t allowed) -> std::string_view {
        if (length != bytes) {
            return "a frame's length does not fit its type";
        }
        if ((stream != 0) != onStream) {
            return "a frame is on a stream where its type does not belong";
        }
        return (flags & ~allowed) != 0 ? "a frame has flags that do not belong to its type" : "";
    };
    const bool both = (flags & kFlagMore) != 0 && (flags & kFlagEnd) != 0;
    switch (static_cast<FrameType>(type)) {
    case FrameType::Data:
    case FrameType::Placed:
        if (both) {
            return "a frame says that a message goes on and that it ends";
        }
        if (length == 0 && (flags & kFlagEnd) == 0) {
            return "a data frame is empty";
        }
        return exactly(static_cast<FrameType>(type) == FrameType::Data ? length : 2 * sizeof(std::uint32_t), true, kFlagMore | kFlagEnd);
    case FrameType::Room:
        return exactly(sizeof(std::uint32_t), false, kFlagNone);
    case FrameType::Credit:
        return exactly(sizeof(std::uint32_t), true, kFlagNone);
    case FrameType::Reset:
        return exactly(sizeof(std::uint32_t), true, kFlagAck);
    case FrameType::Ping:
    case FrameType::Pong:
        return exactly(sizeof(std::uint64_t), false, kFlagNone);
    }
    return "a frame is of an unknown type";
}

} // namespace

Epoch Epoch::fromRandom(const std::array<std::byte, 20>& random) {
    Epoch epoch;
    std::copy_n(random.begin(), kNonceBytes, epoch.nonce.begin());
    epoch.tag = withoutZeroBytes(loadLe<std::uint32_t>(random, kNonceBytes));
    return epoch;
}

void encodeFrame(Bytes& out, std::uint32_t epochTag, FrameType type, std::uint8_t flags, std::uint32_t stream,
                 ByteSpan payload) {
    if (payload.size() > kMaxFramePayload) {
        std::abort(); // not an assert: a release build must not put a frame on the wire that every peer
                      // refuses
    }
    appendLe(out, epochTag);
    appendLe(out, static_cast<std::uint32_t>(payload.size()));
    appendLe(out, static_cast<std::uint8_t>(type));
    appendLe(out, flags);
    appendLe(out, std::uint16_t{0});
    appendLe(out, stream);
    out.insert(out.end(), payload.begin(), payload.end());
    appendLe(out, epochTag);
}

Bytes encodeHostHello(const Epoch& epoch) {
    Bytes out(kMaxFrameBytes);
    appendHello(out, kHostMarker, epoch);
    return out;
}

Bytes encodeGuestHello(const Epoch& epoch) {
    Bytes out;
    appendHello(out, kGuestMarker, epoch);
    return out;
}

Bytes encodeGuestRestart() {
    return Bytes(kMaxFrameBytes);
}

struct FrameDecoder::Impl {
    Impl(Side ourSide, Events ourEvents)
        : side(ourSide)
        , events(std::move(ourEvents)) {}

    void feed(ByteSpan bytes) {
        chunk = bytes;
        position = 0;
        while (position < chunk.size()) {
            switch (state) {
            case State::Spoilt:
                position = chunk.size();
                break;
            case State::Seeking:
                seek();
                break;
            case State::Open:
                read();
                break;
            }
        }
        zerosBefore = detail::trailingZeros(chunk, zerosBefore);
        chunk = {};
        position = 0;
    }

    void open(std::uint32_t withTag) {
        forgetFrame();
        tag = withTag;
        state = State::Open;
    }

    void spoil(std::string_view why) {
        if (side == Side::Guest && !local) {
            seekHello();
        } else {
            forgetFrame();
            state = State::Spoilt;
        }
        if (events.spoilt) {
            events.spoilt(why);
        }
    }

    void seekHello() {
        forgetFrame();
        state = State::Seeking;
        hello.restart(detail::trailingZeros(chunk.first(position), zerosBefore));
    }

    void forgetFrame() {
        headerFill = 0;
        trailerFill = 0;
        frame = Frame();
    }

    void seek() {
        const ByteSpan rest = chunk.subspan(position);
        if (side == Side::Guest) {
            const auto step = hello.feed(rest);
            position += step.used;
            if (step.found) {
                epoch = hello.epoch();
                announceEpoch();
            }
            return;
        }
        const auto step = answer.feed(rest);
        position += step.used;
        if (step.found == detail::AnswerSeeker::Found::Answer) {
            announceEpoch();
        } else if (step.found == detail::AnswerSeeker::Found::Restart) {
            spoil("the other end started anew");
        }
    }

    void announceEpoch() {
        open(epoch.tag);
        if (events.epoch) {
            const Epoch copy = epoch; // the callback may begin another
            events.epoch(copy);
        }
    }

    // One step: header, payload or trailer, as far as the bytes go.
    void read() {
        if (headerFill < header.size()) {
            fill(header, headerFill);
            if (headerFill == header.size()) {
                takeHeader();
            }
        } else if (frame.payload.size() < length) {
            const auto part = take(length - frame.payload.size());
            frame.payload.insert(frame.payload.end(), part.begin(), part.end());
        } else {
            fill(trailer, trailerFill);
            if (trailerFill == trailer.size()) {
                finishFrame();
            }
        }
    }

    void takeHeader() {
        length = loadLe<std::uint32_t>(header, kLengthAt);
        const auto type = loadLe<std::uint8_t>(header, kTypeAt);
        frame.flags = loadLe<std::uint8_t>(header, kFlagsAt);
        frame.stream = loadLe<std::uint32_t>(header, kStreamAt);
        std::string_view why;
        if (loadLe<std::uint32_t>(header) != tag) {
            why = "a frame is not of this epoch";
        } else if (length > kMaxFramePayload) {
            why = "a frame is longer than the limit";
        } else if (loadLe<std::uint16_t>(header, kZeroAt) != 0) {
            why = "a frame's header has bits set that must be zero";
        } else {
            why = checkShape(type, frame.flags, length, frame.stream);
        }
        if (!why.empty()) {
            spoil(why);
            return;
        }
        frame.type = static_cast<FrameType>(type);
        frame.payload.reserve(length);
    }

    void finishFrame() {
        if (loadLe<std::uint32_t>(trailer) != tag) {
            spoil("a frame was left half written");
            return;
        }
        Frame whole = std::move(frame);
        forgetFrame();
        if (events.frame) {
            events.frame(std::move(whole));
        }
    }

    ByteSpan take(std::size_t wanted) {
        const auto part = chunk.subspan(position, std::min(wanted, chunk.size() - position));
        position += part.size();
        return part;
    }

    template <std::size_t Size> void fill(std::array<std::byte, Size>& into, std::size_t& filled) {
        const auto part = take(Size - filled);
        std::copy(part.begin(), part.end(), into.begin() + static_cast<std::ptrdiff_t>(filled));
        filled += part.size();
    }

    const Side side;
    const Events events;
    State state = State::Seeking;
    bool local = false;
    Epoch epoch;
    std::uint32_t tag = 0;

    detail::AnswerSeeker answer;
    detail::HelloSeeker hello;
    std::size_t zerosBefore = 0; // zero bytes directly before the chunk

    ByteSpan chunk; // what feed() was given, and how far it is used
    std::size_t position = 0;

    std::array<std::byte, kFrameHeaderBytes> header{};
    std::size_t headerFill = 0;
    std::uint32_t length = 0;
    Frame frame;
    std::array<std::byte, kFrameTrailerBytes> trailer{};
    std::size_t trailerFill = 0;
};

FrameDecoder::FrameDecoder(Side side, Events events)
    : m_impl(std::make_shared<Impl>(side, std::move(events))) {}

void FrameDecoder::beginEpoch(const Epoch& epoch) {
    m_impl->local = false;
    m_impl->epoch = epoch;
    m_impl->answer.await(epoch);
    m_impl->forgetFrame();
    m_impl->state = State::Seeking;
}

void FrameDecoder::seekAgain() {
    m_impl->local = false;
    m_impl->seekHello();
}

void FrameDecoder::beginLocal(std::uint32_t tag) {
    m_impl->local = true;
    m_impl->open(withoutZeroBytes(tag));
}

void FrameDecoder::spoil(std::string_view why) {
    if (m_impl->state == State::Open) {
        m_impl->spoil(why);
    }
}

void FrameDecoder::feed(ByteSpan bytes) {
    const auto alive = m_impl; // a callback may drop this decoder
    alive->feed(bytes);
}

FrameDecoder::State FrameDecoder::state() const {
    return m_impl->state;
}

std::uint32_t FrameDecoder::tag() const {
    return m_impl->tag;
}

} // namespace carrel
