// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/mux_impl.h"

#include <algorithm>

namespace carrel {

using detail::kFrameOverhead;
using detail::SendQueue;
using detail::Stream;
using detail::u32Payload;

namespace {

// A frame is not cut smaller than this just to fill the rest of an output buffer.
constexpr std::size_t kWorthAFrame = 4096;
// What is shorter fits into two buffers of a port's, and is there as soon without the detour.
constexpr std::size_t kWorthPlacing = 8192;
// Resets, their acknowledgements and pongs that wait for the wire. A peer that makes more of them than this
// without reading is not served any longer.
constexpr std::size_t kMaxSmallFrames = 4 * kMaxStreams;
// Resets that the peer has not acknowledged: every stream at once, and as many again that were refused.
constexpr std::size_t kMaxUnacknowledged = 2 * kMaxStreams;

} // namespace

Status Mux::Impl::checkSend(std::uint32_t id, StreamKind kind, std::size_t size) {
    if (!open) {
        return fail(ErrorCode::Unavailable, "the channel is not connected");
    }
    const Stream* stream = find(id);
    if (stream == nullptr) {
        return fail(ErrorCode::NotFound, "the stream is not open");
    }
    if (stream->endWanted) {
        return fail(ErrorCode::Refused, "the stream was ended");
    }
    if (stream->kind != kind) {
        return fail(ErrorCode::InvalidArgument, "the stream is of the other kind");
    }
    if (stream->queue.bytes() + size > options.maxQueued) {
        return fail(ErrorCode::LimitExceeded, "too much waits to be sent on the stream");
    }
    return {};
}

void Mux::Impl::wake(std::uint32_t id, Stream& stream) {
    if (!stream.inRing && stream.sendable()) {
        stream.inRing = true;
        ring.push_back({id, stream.serial});
    }
}

void Mux::Impl::pushSmall(SmallFrame&& frame) {
    if (small.size() >= kMaxSmallFrames) {
        spoil("the peer does not read what it asks for");
        return;
    }
    small.push_back(std::move(frame));
}

void Mux::Impl::pushReset(std::uint32_t id, std::uint32_t reason) {
    if (awaitingAck.size() >= kMaxUnacknowledged) {
        spoil("the peer does not acknowledge that its streams are reset");
        return;
    }
    ++awaitingAck[id];
    pushSmall({FrameType::Reset, kFlagNone, id, u32Payload(reason)});
}

Bytes Mux::Impl::takeOutput(std::size_t max) {
    Bytes out;
    std::vector<Turn> drained;
    writeCarry(out, max);
    while (out.size() < max && (writeSmall(out) || writeGrant(out))) {
    }
    while (out.size() < max && !ring.empty() && writeData(out, max, drained)) {
    }
    if (out.size() > max) {
        carry.assign(out.begin() + static_cast<std::ptrdiff_t>(max), out.end());
        out.resize(max);
    }
    announceDrained(drained);
    return out;
}

void Mux::Impl::writeCarry(Bytes& out, std::size_t max) {
    if (carry.empty()) {
        return;
    }
    const auto part = ByteSpan(carry).subspan(carryUsed, std::min(max, carry.size() - carryUsed));
    out.assign(part.begin(), part.end());
    carryUsed += part.size();
    if (carryUsed == carry.size()) {
        carry.clear();
        carryUsed = 0;
    }
}

bool Mux::Impl::writeSmall(Bytes& out) {
    if (small.empty()) {
        return false;
    }
    const SmallFrame& frame = small.front();
    encodeFrame(out, tag, frame.type, frame.flags, frame.stream, frame.payload);
    small.pop_front();
    return true;
}

bool Mux::Impl::writeGrant(Bytes& out) {
    if (grants.empty()) {
        return false;
    }
    const std::uint32_t id = grants.front();
    grants.pop_front();
    Stream* stream = find(id);
    if (stream != nullptr && stream->grant > 0 && !stream->peerEnded) {
        encodeFrame(out, tag, FrameType::Credit, kFlagNone, id, u32Payload(stream->grant));
        stream->grant = 0;
    }
    return true;
}

bool Mux::Impl::writeData(Bytes& out, std::size_t max, std::vector<Turn>& drained) {
    const Turn turn = ring.front();
    Stream* stream = find(turn.id, turn.serial);
    if (stream == nullptr || !stream->sendable()) {
        if (stream != nullptr) {
            stream->inRing = false;
        }
        ring.pop_front();
        return true;
    }
    SendQueue::Piece piece;
    if (!stream->queue.empty()) {
        const auto room = static_cast<std::ptrdiff_t>(max - out.size()) - std::ptrdiff_t{kFrameOverhead};
        auto limit = std::min<std::uint64_t>(kMaxFramePayload, stream->credit);
        const auto wanted = std::min<std::uint64_t>(limit, stream->queue.bytes());
        if (room < static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(wanted, kWorthAFrame))) {
            if (!out.empty()) {
                return false;
            }
        } else {
            limit = std::min<std::uint64_t>(limit, static_cast<std::uint64_t>(room));
        }
        piece = stream->queue.front(limit);
    }
    ring.pop_front();
    stream->inRing = false;
    writeFrame(out, max, turn, *stream, piece, drained);
    wake(turn.id, *stream);
    dropIfOver(turn.id, turn.serial);
    return true;
}

void Mux::Impl::writeFrame(Bytes& out, std::size_t max, const Turn& turn, Stream& stream,
                           const SendQueue::Piece& piece, std::vector<Turn>& drained) {
    const std::size_t size = piece.data.size();
    const bool last = size == stream.queue.bytes();
    std::uint8_t flags = kFlagNone;
    if (stream.kind == StreamKind::Messages && size > 0 && !piece.finishesMessage) {
        flags = kFlagMore;
    } else if (last && stream.endWanted) {
        flags = kFlagEnd;
        stream.endSent = true;
    }
    if (!place(out, flags, turn.id, piece.data)) {
        if (out.capacity() < out.size() + size + kFrameOverhead) {
            // Room for what this stream has to send, not doubled step by step.
            const std::size_t frames = stream.queue.bytes() / kMaxFramePayload + 1;
            const std::size_t wanted = out.size() + stream.queue.bytes() + frames * kFrameOverhead;
            out.reserve(std::max(out.size() + size + kFrameOverhead, std::min(wanted, max)));
        }
        encodeFrame(out, tag, FrameType::Data, flags, turn.id, piece.data);
    }
    if (size > 0) {
        stream.credit -= size;
        stream.queue.pop(size);
        if (last) {
            drained.push_back(turn);
        }
    }
}

bool Mux::Impl::place(Bytes& out, std::uint8_t flags, std::uint32_t stream, ByteSpan bytes) {
    if (freeSlots == 0 || bytes.size() < kWorthPlacing) {
        return false;
    }
    if (!options.ringOut.put(nextSlot, bytes)) {
        freeSlots = 0; // nor will the next piece find more
        return false;
    }
    Bytes where;
    appendLe(where, nextSlot);
    appendLe(where, static_cast<std::uint32_t>(bytes.size()));
    encodeFrame(out, tag, FrameType::Placed, flags, stream, where);
    nextSlot = (nextSlot + 1) % static_cast<std::uint32_t>(options.ringOut.slotCount);
    --freeSlots;
    return true;
}

void Mux::Impl::announceDrained(const std::vector<Turn>& drained) {
    for (const auto& turn : drained) {
        const Stream* stream = find(turn.id, turn.serial);
        if (stream != nullptr && stream->queue.empty() && !stream->endWanted && events.writable) {
            events.writable(turn.id);
        }
    }
}

} // namespace carrel
