// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/mux.h"

#include "guest/protocol/send_queue.h"

#include <algorithm>
#include <deque>
#include <map>

namespace carrel {

namespace {

constexpr std::size_t kFrameOverhead = kFrameHeaderBytes + kFrameTrailerBytes;
// A frame is not cut smaller than this just to fill the rest of an output buffer.
constexpr std::size_t kWorthAFrame = 4096;
// A peer's credit beyond this is not flow control but an attempt at an overflow.
constexpr std::uint64_t kMaxCredit = std::uint64_t{1} << 31U;
// Resets, their acknowledgements and pongs that wait for the wire. A peer that makes more of them than this
// without reading is not served any longer.
constexpr std::size_t kMaxSmallFrames = 4 * kMaxStreams;

struct SmallFrame {
    FrameType type = FrameType::Pong;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    Bytes payload;
};

Bytes u32Payload(std::uint32_t value) {
    Bytes out;
    appendLe(out, value);
    return out;
}

struct Stream {
    StreamKind kind = StreamKind::Messages;
    std::uint64_t serial = 0; // tells a stream from a later one of the same id

    detail::SendQueue queue;
    std::uint64_t credit = kInitialWindow; // bytes that we may send
    bool endWanted = false;
    bool endSent = false;
    bool inRing = false;

    std::uint64_t peerCredit = kInitialWindow; // bytes that the peer may send
    std::size_t unconsumed = 0;                // handed to the consumer and not yet done with
    Bytes partial;                             // of a message
    std::uint32_t grant = 0;                   // credit that waits for the wire
    bool peerEnded = false;

    [[nodiscard]] bool sendable() const { return queue.empty() ? endWanted && !endSent : credit > 0; }
};

} // namespace

struct Mux::Impl {
    using Streams = std::map<std::uint32_t, Stream>;

    Impl(Side ourSide, Events ourEvents, Options ourOptions)
        : side(ourSide)
        , events(std::move(ourEvents))
        , options(ourOptions)
        , decoder(side, {.frame = [this](Frame&& frame) { onFrame(std::move(frame)); },
                         .epoch = [this](const Epoch& epoch) { onEpoch(epoch); },
                         .spoilt = [this](std::string_view why) { onSpoilt(why); }}) {}

    // --- the connection ---

    void forgetAll() {
        ++era;
        open = false;
        streams.clear();
        awaitingAck.clear();
        small.clear();
        ring.clear();
        grants.clear();
        carry.clear();
        carryUsed = 0;
    }

    void onEpoch(const Epoch& epoch) {
        forgetAll();
        tag = epoch.tag;
        open = true;
        if (side == Side::Guest) {
            carry = encodeGuestHello(epoch);
        }
        if (events.epoch) {
            events.epoch(epoch);
        }
    }

    void onSpoilt(std::string_view why) {
        forgetAll();
        if (breach && side == Side::Guest && !local) {
            // Only this side knows that something is wrong: without this the host would wait for ever.
            carry = encodeGuestRestart();
        }
        if (events.spoilt) {
            events.spoilt(why);
        }
    }

    void spoil(std::string_view why) {
        breach = true;
        decoder.spoil(why);
        breach = false;
    }

    // --- receiving ---

    void onFrame(Frame&& frame) {
        switch (frame.type) {
        case FrameType::Data:
            onData(std::move(frame));
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

    void onData(Frame&& frame) {
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

    std::string_view checkData(const Stream& stream, std::size_t size, bool more, bool end) const {
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

    // The data to deliver: nothing while a message is incomplete.
    static Bytes assemble(Stream& stream, Bytes&& payload, bool more) {
        if (!more && stream.partial.empty()) {
            return std::move(payload);
        }
        stream.partial.insert(stream.partial.end(), payload.begin(), payload.end());
        return more ? Bytes() : std::exchange(stream.partial, {});
    }

    // Callbacks may end the stream, or the epoch: nothing is held across them but numbers.
    void deliver(std::uint32_t id, std::uint64_t serial, Bytes&& data, bool end) {
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

    Stream* acceptStream(std::uint32_t id) {
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
        refuse(id, reason);
        return nullptr;
    }

    void refuse(std::uint32_t id, std::uint32_t reason) {
        if (awaitingAck.size() >= kMaxStreams) {
            spoil("the peer opens streams that are refused, and does not acknowledge it");
            return;
        }
        pushReset(id, reason);
    }

    void onCredit(std::uint32_t id, std::uint32_t amount) {
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

    void onReset(const Frame& frame) {
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

    // --- streams ---

    Stream* find(std::uint32_t id) {
        const auto at = streams.find(id);
        return at == streams.end() ? nullptr : &at->second;
    }
    Stream* find(std::uint32_t id, std::uint64_t serial) {
        Stream* stream = find(id);
        return stream != nullptr && stream->serial == serial ? stream : nullptr;
    }

    Stream& addStream(std::uint32_t id, StreamKind kind) {
        const auto [at, isNew] = streams.try_emplace(id);
        if (isNew) {
            at->second.kind = kind;
            at->second.serial = ++serials;
        }
        return at->second;
    }

    void dropIfOver(std::uint32_t id, std::uint64_t serial) {
        const Stream* stream = find(id, serial);
        if (stream != nullptr && stream->endSent && stream->peerEnded) {
            streams.erase(id);
        }
    }

    // --- credit for the peer ---

    void grantMore(std::uint32_t id, Stream& stream) {
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

    // --- sending ---

    Status checkSend(std::uint32_t id, StreamKind kind, std::size_t size) {
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

    void wake(std::uint32_t id, Stream& stream) {
        if (!stream.inRing && stream.sendable()) {
            stream.inRing = true;
            ring.push_back({id, stream.serial});
        }
    }

    void pushSmall(SmallFrame&& frame) {
        if (small.size() >= kMaxSmallFrames) {
            spoil("the peer does not read what it asks for");
            return;
        }
        small.push_back(std::move(frame));
    }

    void pushReset(std::uint32_t id, std::uint32_t reason) {
        ++awaitingAck[id];
        pushSmall({FrameType::Reset, kFlagNone, id, u32Payload(reason)});
    }

    Bytes takeOutput(std::size_t max) {
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

    struct Turn {
        std::uint32_t id = 0;
        std::uint64_t serial = 0;
    };

    void writeCarry(Bytes& out, std::size_t max) {
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

    bool writeSmall(Bytes& out) {
        if (small.empty()) {
            return false;
        }
        const SmallFrame& frame = small.front();
        encodeFrame(out, tag, frame.type, frame.flags, frame.stream, frame.payload);
        small.pop_front();
        return true;
    }

    bool writeGrant(Bytes& out) {
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

    // One frame of the stream whose turn it is. False: there is no room for it.
    bool writeData(Bytes& out, std::size_t max, std::vector<Turn>& drained) {
        const Turn turn = ring.front();
        Stream* stream = find(turn.id, turn.serial);
        if (stream == nullptr || !stream->sendable()) {
            if (stream != nullptr) {
                stream->inRing = false;
            }
            ring.pop_front();
            return true;
        }
        detail::SendQueue::Piece piece;
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

    void writeFrame(Bytes& out, std::size_t max, const Turn& turn, Stream& stream,
                    const detail::SendQueue::Piece& piece, std::vector<Turn>& drained) {
        const std::size_t size = piece.data.size();
        const bool last = size == stream.queue.bytes();
        std::uint8_t flags = kFlagNone;
        if (stream.kind == StreamKind::Messages && size > 0 && !piece.finishesMessage) {
            flags = kFlagMore;
        } else if (last && stream.endWanted) {
            flags = kFlagEnd;
            stream.endSent = true;
        }
        if (out.capacity() < out.size() + size + kFrameOverhead) {
            const std::size_t waiting = out.size() + stream.queue.bytes() + 2 * kFrameOverhead;
            out.reserve(std::max(out.size() + size + kFrameOverhead, std::min(waiting + waiting / 64, max)));
        }
        encodeFrame(out, tag, FrameType::Data, flags, turn.id, piece.data);
        if (size > 0) {
            stream.credit -= size;
            stream.queue.pop(size);
            if (last) {
                drained.push_back(turn);
            }
        }
    }

    void announceDrained(const std::vector<Turn>& drained) {
        for (const auto& turn : drained) {
            const Stream* stream = find(turn.id, turn.serial);
            if (stream != nullptr && stream->queue.empty() && !stream->endWanted && events.writable) {
                events.writable(turn.id);
            }
        }
    }

    const Side side;
    const Events events;
    const Options options;
    FrameDecoder decoder;

    bool open = false;
    bool local = false;
    bool breach = false; // found by this layer, not by the decoder
    std::uint32_t tag = 0;
    std::uint64_t era = 0; // changes whenever everything is forgotten
    std::uint64_t serials = 0;

    Streams streams;
    // Streams that we reset, with the acknowledgements still to come; until then what comes is of the former
    // stream.
    std::map<std::uint32_t, std::uint32_t> awaitingAck;
    std::deque<SmallFrame> small;
    std::deque<std::uint32_t> grants; // streams with a grant to write
    std::deque<Turn> ring;            // streams with something to send, in turn
    Bytes carry;                      // begun, not yet taken: a hello, or a frame cut by takeOutput's max
    std::size_t carryUsed = 0;
};

Mux::Mux(Side side, Events events, Options options)
    : m_impl(std::make_unique<Impl>(side, std::move(events), options)) {}
Mux::Mux(Side side, Events events)
    : Mux(side, std::move(events), Options()) {}
Mux::~Mux() = default;

void Mux::begin(const Epoch& epoch) {
    m_impl->forgetAll();
    m_impl->local = false;
    m_impl->carry = encodeHostHello(epoch);
    m_impl->decoder.beginEpoch(epoch);
}

void Mux::announceRestart() {
    m_impl->forgetAll();
    m_impl->local = false;
    m_impl->carry = encodeGuestRestart();
    m_impl->decoder.seekAgain();
}

void Mux::beginLocal(std::uint32_t tag) {
    m_impl->forgetAll();
    m_impl->local = true;
    m_impl->decoder.beginLocal(tag);
    m_impl->tag = m_impl->decoder.tag();
    m_impl->open = true;
}

bool Mux::isOpen() const {
    return m_impl->open;
}

void Mux::openStream(std::uint32_t stream, StreamKind kind) {
    if (m_impl->open && stream != 0 && m_impl->streams.size() < kMaxStreams) {
        m_impl->addStream(stream, kind);
    }
}

Status Mux::sendMessage(std::uint32_t stream, ByteSpan message) {
    CARREL_TRY(m_impl->checkSend(stream, StreamKind::Messages, message.size()));
    if (message.empty()) {
        return fail(ErrorCode::InvalidArgument, "a message is empty");
    }
    if (message.size() > m_impl->options.maxMessage) {
        return fail(ErrorCode::LimitExceeded, "a message is longer than the limit");
    }
    Stream& to = *m_impl->find(stream);
    to.queue.pushMessage(message);
    m_impl->wake(stream, to);
    return {};
}

Status Mux::sendBytes(std::uint32_t stream, ByteSpan bytes) {
    CARREL_TRY(m_impl->checkSend(stream, StreamKind::Bytes, bytes.size()));
    if (!bytes.empty()) {
        Stream& to = *m_impl->find(stream);
        to.queue.pushBytes(bytes);
        m_impl->wake(stream, to);
    }
    return {};
}

void Mux::sendEnd(std::uint32_t stream) {
    if (Stream* to = m_impl->find(stream)) {
        to->endWanted = true;
        m_impl->wake(stream, *to);
    }
}

void Mux::sendReset(std::uint32_t stream, std::uint32_t reason) {
    if (m_impl->streams.erase(stream) > 0) {
        m_impl->pushReset(stream, reason);
    }
}

void Mux::consumed(std::uint32_t stream, std::size_t bytes) {
    if (Stream* from = m_impl->find(stream)) {
        from->unconsumed -= std::min(bytes, from->unconsumed);
        m_impl->grantMore(stream, *from);
    }
}

std::size_t Mux::queued(std::uint32_t stream) const {
    const Stream* to = m_impl->find(stream);
    return to == nullptr ? 0 : to->queue.bytes();
}

void Mux::feed(ByteSpan bytes) {
    m_impl->decoder.feed(bytes);
}

Bytes Mux::takeOutput(std::size_t max) {
    return m_impl->takeOutput(max);
}

bool Mux::hasOutput() const {
    return !m_impl->carry.empty() || !m_impl->small.empty() || !m_impl->grants.empty() ||
           !m_impl->ring.empty();
}

} // namespace carrel
