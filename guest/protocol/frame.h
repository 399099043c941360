// SPDX-License-Identifier: Apache-2.0
// The framing of every channel: bytes in, frames out, and back. Does no I/O and keeps no clock.
//
// Wire, little-endian, no padding:
//   header   u32 epoch   tag of the epoch; none of its four bytes is zero
//            u32 length  payload bytes, at most kMaxFramePayload; checked before anything is buffered
//            u8  type    FrameType
//            u8  flags   FrameFlag bits; unknown bits are an error
//            u16 zero
//            u32 stream  which stream; 0 is the connection itself
//   payload  length bytes
//   trailer  u32 epoch   again: a frame that a dying peer left half written can never be completed by what
//   the
//                        next peer sends, because the tags differ
//
// Epochs. A dead peer leaves half frames in a virtio port, and the port may not tell that its peer changed.
// So every connection starts an epoch, chosen by the host:
//   host → guest: kMaxFrameBytes zero bytes (they complete, and spoil, any half frame), then
//                 kHostMarker (16 bytes), nonce (16 random bytes), epoch tag (u32)
//   guest → host: kGuestMarker (16 bytes), the same nonce, the same tag
// Either side discards everything before its marker. The guest takes a host's marker only directly after
// kMaxFrameBytes zero bytes: no frame holds so many in a row (the tags around a payload have no zero byte),
// so the bytes of a shared file can never be taken for a hello, wherever in the stream the guest starts
// reading. A guest that starts anew sends kMaxFrameBytes zero bytes, which the host sees as a spoilt frame
// (or, while it still seeks an answer, as a run that no frame can hold), and answers with a new epoch. Frames
// of another epoch spoil likewise. Spoilt is not fatal: the host begins a new epoch (its caller bounds how
// often).
//
// Checked on every header before its payload is buffered: tag, length, known type, flags that belong to the
// type, the zero field, the exact length of all but Data, stream 0 for Ping, Pong and Room and only
// there, and that an empty Data frame carries kFlagEnd (so that nothing without cost can be sent for ever).
//
// Ownership: an object per direction of a connection. Thread: not shared; any one thread.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <array>
#include <functional>
#include <memory>
#include <string_view>

namespace carrel {

inline constexpr std::size_t kMaxFramePayload =
    64 * 1024; // one READ reply needs 16 frames; small keeps control latency low
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::size_t kFrameTrailerBytes = 4;
inline constexpr std::size_t kMaxFrameBytes = kFrameHeaderBytes + kMaxFramePayload + kFrameTrailerBytes;
inline constexpr std::size_t kMarkerBytes = 16;
inline constexpr std::size_t kNonceBytes = 16;

// Arbitrary bytes, none of them zero.
inline constexpr std::array<std::uint8_t, kMarkerBytes> kHostMarker{
    0xc4, 0x72, 0x6c, 0x48, 0x9d, 0xe1, 0x5b, 0xf7, 0x3a, 0x86, 0xd9, 0x17, 0xae, 0x62, 0xb3, 0x01};
inline constexpr std::array<std::uint8_t, kMarkerBytes> kGuestMarker{
    0xc4, 0x72, 0x6c, 0x47, 0x2e, 0x95, 0xfa, 0x68, 0xd3, 0x1c, 0x7f, 0xb0, 0x59, 0xe6, 0x84, 0x01};

enum class FrameType : std::uint8_t {
    Data = 1,   // payload for a stream
    Credit = 2, // payload u32: so many more bytes of this stream may be sent
    Reset = 3,  // the stream ended abnormally; payload: u32 errno-like reason, Linux numbering
    Ping = 4,   // stream 0; payload 8 bytes, answered by Pong with the same
    Pong = 5,
    Placed = 6, // as Data, but its bytes lie in the ring (placing_ring.h): payload u32 slot, u32 bytes there, 1 to kMaxFramePayload
    Room = 7,   // stream 0; payload u32: so many more slots of the ring may be written to
};

enum FrameFlag : std::uint8_t {
    kFlagNone = 0,
    kFlagMore = 1, // Data, Placed: the message goes on in the next Data frame of this stream
    kFlagEnd = 2,  // Data, Placed: the sender will send no more on this stream (half close); never with kFlagMore
    kFlagAck =
        4, // Reset: answers a Reset; what follows it is of no stream that was reset before. Not answered
};

struct Epoch {
    std::array<std::byte, kNonceBytes> nonce{};
    std::uint32_t tag = 0;
    // From 20 random bytes; bytes of the tag that are zero become 0xff.
    [[nodiscard]] static Epoch fromRandom(const std::array<std::byte, 20>& random);
    friend bool operator==(const Epoch&, const Epoch&) = default;
};

struct Frame {
    FrameType type = FrameType::Data;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    Bytes payload;
    friend bool operator==(const Frame&, const Frame&) = default;
};

// Appends the frame's bytes. The payload must not exceed kMaxFramePayload (a caller's defect: aborts).
void encodeFrame(Bytes& out, std::uint32_t epochTag, FrameType type, std::uint8_t flags, std::uint32_t stream,
                 ByteSpan payload);
[[nodiscard]] Bytes encodeHostHello(const Epoch& epoch);  // zeros, marker, nonce, tag
[[nodiscard]] Bytes encodeGuestHello(const Epoch& epoch); // marker, nonce, tag
[[nodiscard]] Bytes encodeGuestRestart();                 // zeros

enum class Side { Host, Guest };

// Turns received bytes into frames.
//   Host:  Seeking(the guest's hello with exactly this nonce) → Open → Spoilt (until beginEpoch)
//   Guest: Seeking(any host hello) → Open → Seeking after spoilt bytes, or straight to a new epoch
class FrameDecoder {
public:
    enum class State { Seeking, Open, Spoilt };
    struct Events {
        std::function<void(Frame&&)> frame;
        std::function<void(const Epoch&)>
            epoch; // Open was reached (host: the hello was answered; guest: a hello came)
        std::function<void(std::string_view why)> spoilt; // `why` is fixed text, nothing of the peer's
    };

    FrameDecoder(Side side, Events events);
    // Host only: forget everything, seek the answer to this epoch's hello.
    void beginEpoch(const Epoch& epoch);
    // Guest only: forget everything, seek the next hello.
    void seekAgain();
    // No hello: Open at once with this tag (zero bytes become 0xff). Ends in Spoilt on either side, for good.
    void beginLocal(std::uint32_t tag);
    // The layer above found a breach: as if the bytes themselves had been wrong. Only while Open.
    void spoil(std::string_view why);
    // Consumes all bytes. Callbacks run inside and may call anything but feed(). Never buffers more than one
    // frame.
    void feed(ByteSpan bytes);
    [[nodiscard]] State state() const;
    [[nodiscard]] std::uint32_t tag() const; // of the open epoch

private:
    struct Impl;
    std::shared_ptr<Impl> m_impl;
};

} // namespace carrel
