// SPDX-License-Identifier: Apache-2.0
// The inside of a Mux, in three files: the connection and its streams (mux.cpp), what comes (mux_receive.cpp)
// and what goes (mux_send.cpp). Callbacks may end any stream or the whole epoch: nothing but numbers is held
// across one.
#pragma once

#include "guest/protocol/mux.h"
#include "guest/protocol/send_queue.h"

#include <deque>
#include <map>
#include <utility>

namespace carrel {

namespace detail {

inline constexpr std::size_t kFrameOverhead = kFrameHeaderBytes + kFrameTrailerBytes;

struct SmallFrame {
    FrameType type = FrameType::Pong;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    Bytes payload;
};

[[nodiscard]] inline Bytes u32Payload(std::uint32_t value) {
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
    std::size_t lastMessage = 0;               // bytes of the last one that came in several frames
    std::uint32_t grant = 0;                   // credit that waits for the wire
    bool peerEnded = false;

    [[nodiscard]] bool sendable() const { return queue.empty() ? endWanted && !endSent : credit > 0; }
};

} // namespace detail

struct Mux::Impl {
    using Stream = detail::Stream;
    using SmallFrame = detail::SmallFrame;
    using Streams = std::map<std::uint32_t, Stream>;

    struct Turn {
        std::uint32_t id = 0;
        std::uint64_t serial = 0;
    };

    Impl(Side ourSide, Events ourEvents, Options ourOptions);

    // The connection.
    void forgetAll();
    void onEpoch(const Epoch& epoch);
    void onSpoilt(std::string_view why);
    void spoil(std::string_view why);
    void sayRoom();

    // Its streams.
    Stream* find(std::uint32_t id);
    Stream* find(std::uint32_t id, std::uint64_t serial);
    Stream& addStream(std::uint32_t id, StreamKind kind);
    void dropIfOver(std::uint32_t id, std::uint64_t serial);

    // Receiving.
    void onFrame(Frame&& frame);
    void onPlaced(Frame&& frame);
    void onRoom(std::uint32_t slots);
    void onData(Frame&& frame);
    std::string_view checkData(const Stream& stream, std::size_t size, bool more, bool end) const;
    // The data to deliver: nothing while a message is incomplete.
    static Bytes assemble(Stream& stream, Bytes&& payload, bool more);
    void deliver(std::uint32_t id, std::uint64_t serial, Bytes&& data, bool end);
    Stream* acceptStream(std::uint32_t id);
    void onCredit(std::uint32_t id, std::uint32_t amount);
    void onReset(const Frame& frame);
    void grantMore(std::uint32_t id, Stream& stream);

    // Sending.
    Status checkSend(std::uint32_t id, StreamKind kind, std::size_t size);
    void wake(std::uint32_t id, Stream& stream);
    void pushSmall(SmallFrame&& frame);
    void pushReset(std::uint32_t id, std::uint32_t reason);
    Bytes takeOutput(std::size_t max);
    void writeCarry(Bytes& out, std::size_t max);
    bool writeSmall(Bytes& out);
    bool writeGrant(Bytes& out);
    // One frame of the stream whose turn it is. False: there is no room for it.
    bool writeData(Bytes& out, std::size_t max, std::vector<Turn>& drained);
    void writeFrame(Bytes& out, std::size_t max, const Turn& turn, Stream& stream,
                    const detail::SendQueue::Piece& piece, std::vector<Turn>& drained);
    void announceDrained(const std::vector<Turn>& drained);
    // Puts the bytes into the ring, and tells where. False: they have to go as they are.
    bool place(Bytes& out, std::uint8_t flags, std::uint32_t stream, ByteSpan bytes);

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
    std::uint32_t freeSlots = 0; // slots that may be written to
    std::uint32_t nextSlot = 0;  // of those
    std::uint32_t taken = 0;     // slots that the peer may have back, and has not been told so
};

} // namespace carrel
