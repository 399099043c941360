// SPDX-License-Identifier: Apache-2.0
// Streams over one framed connection, with credit, so that a consumer that stalls one stream stalls nothing
// else, and so that no peer can make the other buffer without bound. Does no I/O: the caller feeds what it
// read and writes what it is handed. Sits on FrameDecoder/encodeFrame.
//
// Credit: each direction of each stream starts with kInitialWindow bytes of Data payload. A receiver grants
// more (Credit frames) as its consumer calls consumed(). A peer that sends beyond its credit spoils the
// epoch. Streams exist from their first use; ids are agreed above this layer. A stream is gone when both
// sides have ended it (kFlagEnd) or either has reset it. So whoever only receives on a stream answers its end
// with sendEnd() (or resets it), else it stays and counts. What the peer had under way when a stream was
// reset is dropped until the peer has acknowledged the reset. An id may be used again in an epoch, but not at
// once: Credit for the former stream may still be under way; take the ids in turn.
//
// Credit within a message: bytes of a message that is still incomplete do not count against the window (else
// no message longer than it could ever arrive); they are bounded by maxMessage. So a peer can make this side
// hold at most window + maxMessage bytes per stream.
//
// Messages: sendMessage() splits into frames (kFlagMore on all but the last), the receiving Mux puts them
// together, at most maxMessage bytes. There is no empty message. Byte streams use sendBytes(); pieces may be
// cut and joined on the way, as on a pipe.
//
// A breach of these rules by the peer spoils the epoch: all streams are gone, unannounced, and `spoilt` is
// called. The host then calls begin() with a new epoch (also from inside `spoilt`); a guest's Mux asks for a
// new epoch by itself where that is needed, its owner only goes on feeding and writing.
//
// Ownership and thread: one owner, one thread (or a lock around it). Callbacks run inside feed(), `writable`
// inside takeOutput(); they may call anything here but feed() and takeOutput(), and must not destroy the Mux.
#pragma once

#include "guest/protocol/frame.h"
#include "guest/protocol/placing_ring.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace carrel {

inline constexpr std::uint32_t kInitialWindow = 256 * 1024;
inline constexpr std::size_t kMaxStreams = 4096; // per connection; more is refused
// Reset reasons of the Mux's own, Linux errno values.
inline constexpr std::uint32_t kResetRefused = 111; // ECONNREFUSED: accept() said no
inline constexpr std::uint32_t kResetTooMany = 23;  // ENFILE: kMaxStreams are open
inline constexpr std::size_t kMaxMessageBytes =
    1024 * 1024 + 64 * 1024; // a FUSE READ reply of 1 MiB and its header

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" // GCC 12 takes the scoped enumerator Bytes for a rival of the type
enum class StreamKind {
    Messages, // put together before delivery; credit is returned when the consumer has taken the whole
              // message
    Bytes,
};
#pragma GCC diagnostic pop

class Mux {
public:
    struct Events {
        // A message (Messages) or a piece (Bytes). The consumer calls consumed(stream, bytes) when done with
        // it.
        std::function<void(std::uint32_t stream, Bytes&& data)> data;
        std::function<void(std::uint32_t stream)> end;                         // the peer half-closed
        std::function<void(std::uint32_t stream, std::uint32_t reason)> reset; // the peer reset it
        std::function<void(std::uint32_t stream)> writable;                    // queued bytes fell to zero
        std::function<void(const Epoch&)>
            epoch; // (re)connected: every stream of the last epoch is gone, unannounced
        std::function<void(std::string_view why)> spoilt;
        // Which kind a stream is that the peer opened; nullopt refuses it (it is reset).
        std::function<std::optional<StreamKind>(std::uint32_t stream)> accept;
    };
    struct Options {
        std::uint32_t window = kInitialWindow; // granted to the peer per stream once it has sent something
        std::size_t maxMessage = kMaxMessageBytes;
        std::size_t maxQueued =
            8 * 1024 * 1024; // sender's bound per stream; sendX answers LimitExceeded beyond it
        RingWriter ringOut = {}; // large pieces go through it (placing_ring.h)
        RingReader ringIn = {};
    };

    Mux(Side side, Events events, Options options);
    Mux(Side side, Events events);
    Mux(const Mux&) = delete;
    Mux& operator=(const Mux&) = delete;
    ~Mux();

    // Host: drop all state and queue the hello of a new epoch. Guest: queue the restart preamble.
    void begin(const Epoch& epoch); // host
    void announceRestart();         // guest
    // No hello at all: a local socket pair whose two ends agreed on the tag. Opens at once.
    void beginLocal(std::uint32_t tag);
    [[nodiscard]] bool isOpen() const;

    // Before sending on a stream of ours, or to receive on one without being asked by `accept`. Nothing is
    // sent yet. Without effect where the stream is there already, while not open, or with kMaxStreams open.
    void openStream(std::uint32_t stream, StreamKind kind);
    // Unavailable: not open. NotFound: no such stream (never opened, or gone). Refused: sendEnd() was called.
    // InvalidArgument: empty message, or the stream is of the other kind. LimitExceeded: longer than
    // maxMessage, or maxQueued is passed (nothing of it is queued; try again after `writable`).
    [[nodiscard]] Status sendMessage(std::uint32_t stream, ByteSpan message);
    [[nodiscard]] Status sendBytes(std::uint32_t stream, ByteSpan bytes);
    void sendEnd(std::uint32_t stream);
    void sendReset(std::uint32_t stream,
                   std::uint32_t reason); // drops what is queued for it; the stream is gone
    void consumed(std::uint32_t stream, std::size_t bytes);
    [[nodiscard]] std::size_t queued(std::uint32_t stream) const; // bytes waiting for credit or for the wire

    void feed(ByteSpan bytes);
    // Bytes to write now, at most `max`, streams served in turn; Data only as far as credit goes, connection
    // frames (Credit, Reset, Pong) first. Empty: nothing to write.
    [[nodiscard]] Bytes takeOutput(std::size_t max = 256 * 1024);
    // False: takeOutput() has nothing. True: it most likely has (what waited may have been reset since).
    [[nodiscard]] bool hasOutput() const;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel
