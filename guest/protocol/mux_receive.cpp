// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/mux_impl.h"

#include <algorithm>

namespace carrel {

using detail::Stream;
using detail::u32Payload;

namespace {

// A peer's credit beyond this is not flow control but an attempt at an overflow.
constexpr std::uint64_t kMaxCredit = std::uint64_t{1} << 31U;
// Slots that are free again are told of together.
constexpr std::uint32_t kRoomWorthTelling = kMaxRingSlots / 4;

} // namespace

void Mux::Impl::onFrame(Frame&& frame) {
    switch (frame.type) {
    case FrameType::Data:
        onData(std::move(frame));
        break;
    case FrameType::Placed:
        onPlaced(std::move(frame));
        break;
    case FrameType::Room:
        onRoom(loadLe<std::uint32_t>(frame.payload));
        break;
    case FrameType::Credit:
        onCredit(frame.stream, loadLe<std::uint32_t>(frame.payload));
        break;
    case FrameType::Reset:
        onReset(frame);
        break;
    case FrameType::Ping:
        pushSmall({FrameType::Pong, kFlagNone, 0, std::move(frame.payload)});
        break;
    case FrameType::Pong:
        break;
    }
}

void Mux::Impl::onPlaced(Frame&& frame) {
    const auto slot = loadLe<std::uint32_t>(frame.payload);
    const auto size = loadLe<std::uint32_t>(frame.payload, sizeof slot);
    if (slot >= options.ringIn.slotCount || size == 0 || size > kRingSlotBytes) {
        spoil("what was put into memory is not there");
        return;
    }
    const auto bytes = options.ringIn.memory.subspan(slot * kRingSlotBytes, size);
    frame.payload.assign(bytes.begin(), bytes.end());
    if (++taken >= std::min<std::size_t>(kRoomWorthTelling, options.ringIn.slotCount)) {
        const auto before = era;
        pushSmall({FrameType::Room, kFlagNone, 0, u32Payload(std::exchange(taken, 0))});
        if (before != era) {
            return; // that was one too many
        }
    }
    onData(std::move(frame));
}

void Mux::Impl::onRoom(std::uint32_t slots) {
    if (options.ringOut.slotCount == 0) {
        return; // of no use to this side, and no harm
    }
    if (slots == 0 || slots > options.ringOut.slotCount - freeSlots) {
        spoil("room came that is not there");
        return;
    }
    freeSlots += slots;
}

void Mux::Impl::onData(Frame&& frame) {
    const std::uint32_t id = frame.stream;
    if (awaitingAck.contains(id)) {
        return; // sent before the peer knew of our reset
    }
    Stream* stream = find(id);
    if (stream == nullptr) {
        stream = acceptStream(id);
        if (stream == nullptr) {
            return;
        }
    }
    const std::size_t size = frame.payload.size();
    const bool more = (frame.flags & kFlagMore) != 0;
    const bool end = (frame.flags & kFlagEnd) != 0;
    if (const auto why = checkData(*stream, size, more, end); !why.empty()) {
        spoil(why);
        return;
    }
    stream->peerCredit -= size;
    Bytes data = assemble(*stream, std::move(frame.payload), more);
    stream->unconsumed += data.size();
    stream->peerEnded = end;
    grantMore(id, *stream);
    deliver(id, stream->serial, std::move(data), end);
}

std::string_view Mux::Impl::checkData(const Stream& stream, std::size_t size, bool more, bool end) const {
    if (stream.peerEnded) {
        return "data came on a stream after its end";
    }
    if (size > stream.peerCredit) {
        return "more data came on a stream than was granted";
    }
    if (stream.kind == StreamKind::Bytes) {
        return more ? "a message came on a stream of bytes" : "";
    }
    if (stream.partial.size() + size > options.maxMessage) {
        return "a message is longer than the limit";
    }
    return end && size == 0 && !stream.partial.empty() ? "a stream ended within a message" : "";
}

Bytes Mux::Impl::assemble(Stream& stream, Bytes&& payload, bool more) {
    if (!more && stream.partial.empty()) {
        return std::move(payload);
    }
    if (stream.partial.empty()) {
        // Messages of one stream are much alike: room for one like the last, instead of doubling step by
        // step.
        stream.partial.reserve(stream.lastMessage);
    }
    stream.partial.insert(stream.partial.end(), payload.begin(), payload.end());
    if (more) {
        return {};
    }
    stream.lastMessage = stream.partial.size();
    return std::exchange(stream.partial, {});
}

void Mux::Impl::deliver(std::uint32_t id, std::uint64_t serial, Bytes&& data, bool end) {
    if (!data.empty() && events.data) {
        events.data(id, std::move(data));
    }
    if (end && find(id, serial) != nullptr) {
        if (events.end) {
            events.end(id);
        }
        dropIfOver(id, serial);
    }
}

detail::Stream* Mux::Impl::acceptStream(std::uint32_t id) {
    std::uint32_t reason = kResetTooMany;
    if (streams.size() < kMaxStreams) {
        const auto before = era;
        const auto kind = events.accept ? events.accept(id) : std::nullopt;
        if (before != era) {
            return nullptr; // the callback began another epoch
        }
        if (kind) {
            return &addStream(id, *kind);
        }
        reason = kResetRefused;
    }
    pushReset(id, reason);
    return nullptr;
}

void Mux::Impl::onCredit(std::uint32_t id, std::uint32_t amount) {
    Stream* stream = awaitingAck.contains(id) ? nullptr : find(id);
    if (stream == nullptr) {
        return; // granted before the peer knew that the stream is gone
    }
    stream->credit += amount;
    if (amount == 0 || stream->credit > kMaxCredit) {
        spoil("credit came that makes no sense");
        return;
    }
    wake(id, *stream);
}

void Mux::Impl::onReset(const Frame& frame) {
    const std::uint32_t id = frame.stream;
    const auto waiting = awaitingAck.find(id);
    if ((frame.flags & kFlagAck) != 0) {
        if (waiting == awaitingAck.end()) {
            spoil("a reset was acknowledged that was not sent");
        } else if (--waiting->second == 0) {
            awaitingAck.erase(waiting);
        }
        return;
    }
    const auto before = era;
    pushSmall({FrameType::Reset, kFlagAck, id, u32Payload(0)});
    if (before == era && waiting == awaitingAck.end() && streams.erase(id) > 0 && events.reset) {
        events.reset(id, loadLe<std::uint32_t>(frame.payload));
    }
}

void Mux::Impl::grantMore(std::uint32_t id, Stream& stream) {
    const std::uint64_t held = stream.unconsumed + stream.peerCredit;
    if (stream.peerEnded || held >= options.window) {
        return;
    }
    const auto room = static_cast<std::uint32_t>(options.window - held);
    // Not in dribbles, as long as the peer can go on.
    if (room < options.window / 4 && stream.peerCredit != 0) {
        return;
    }
    if (stream.grant == 0) {
        grants.push_back(id);
    }
    stream.grant += room;
    stream.peerCredit += room;
}

} // namespace carrel
