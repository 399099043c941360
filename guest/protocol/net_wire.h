// SPDX-License-Identifier: Apache-2.0
// The heads of a stream on the network channel (control.h): one TCP connection of a program in the machine. Streams are
// opened by the guest, which takes the ids up to kLastGuestStream in turn.
//
//   guest → host   one Opening, then what the program sends, as it is; kFlagEnd when the program has ended its half
//   host → guest   any number of notes (Answer with Outcome::Waiting, at most kMaxNotes), one Answer; after Outcome::Open
//                  what the far end sends, as it is, and kFlagEnd when it has ended its half; after any other outcome
//                  either kFlagEnd at once, and the program finds its connection broken, or what it is told instead, in its own
//                  language, and kFlagEnd. What the program still sends is dropped
//   Reset          by either: the connection is broken off
//
// A connection the other way, to a server of the agent's own on the loopback of its machine: on a stream that the host opens, with
// ids from kFirstHostStream on, each greater than those before it in the epoch. Without notes, else the same with the sides changed:
//
//   host → guest   one Inward, then what the client sends, as it is; kFlagEnd when it has ended its half
//   guest → host   one Answer, whose outcome is Open, Refused, Unreachable or Limit; after Open what the server sends, and kFlagEnd
//
// Wire, little-endian, no padding:
//   Opening   u8 version, u8 kind (1 name, 2 IPv4, 3 IPv6), u16 port, u8 length, length bytes: the name, or the address in
//             network order
//   Answer    u8 version, u8 outcome, u8 length, length bytes of text
//   Inward    u8 version, u8 kind (4), u16 port
//
// The host believes none of it: it is what a program in the machine says that it wants, no more. Thread: pure functions.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace carrel::net {

inline constexpr std::uint8_t kWireVersion = 1;
inline constexpr std::size_t kMaxHostName = 253; // RFC 1035, without the final dot
inline constexpr std::size_t kMaxLabel = 63;
inline constexpr std::size_t kMaxAnswerText = 240;
inline constexpr std::size_t kMaxNotes = 8;
// Of one machine at a time: far beyond what a browser or a package manager opens, and a bound for what the host holds.
inline constexpr std::size_t kMaxConnections = 1024;
inline constexpr std::uint32_t kLastGuestStream = 0x7fff'ffff;
inline constexpr std::uint32_t kFirstHostStream = 0x8000'0000;

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;
using Host = std::variant<std::string, Ipv4, Ipv6>; // a name as isHostName() has it, or an address

struct Opening {
    Host host;
    std::uint16_t port = 0; // never 0
    friend bool operator==(const Opening&, const Opening&) = default;
};

struct Inward {
    std::uint16_t port = 0; // never 0
    friend bool operator==(const Inward&, const Inward&) = default;
};

enum class Outcome : std::uint8_t {
    Open = 0,
    Waiting = 1, // a note: somebody is being asked
    Denied = 2,
    Expired = 3, // nobody answered in time; never the same as Denied
    Unresolved = 4,
    Unreachable = 5,
    Refused = 6, // by the far end
    TimedOut = 7,
    Limit = 8,
    Offline = 9,
    Closed = 10, // the door was closed meanwhile
};
[[nodiscard]] std::string_view toString(Outcome outcome); // "open", "timed-out", …
[[nodiscard]] std::optional<Outcome> outcomeFrom(std::string_view text);
// What one that is no connection means, as a sentence about the host, which is named before it.
[[nodiscard]] std::string_view reasonOf(Outcome outcome);

struct Answer {
    Outcome outcome = Outcome::Open;
    std::string text; // one sentence for a person, without control characters; may be empty
    friend bool operator==(const Answer&, const Answer&) = default;
};

// A host name in lower case as it can be looked up: labels of letters, digits, '-' and '_' (which some hosts do have), none
// of them empty, too long or with '-' at an end; no final dot; the last label is no number, or it would be an address
// (WHATWG URL, "ends in a number").
[[nodiscard]] bool isHostName(std::string_view text);
// The name, or the address as inet_ntop(3) writes it.
[[nodiscard]] std::string textOf(const Host& host);
// The other way; of a name any letters will do. Nothing: neither a name nor an address.
[[nodiscard]] std::optional<Host> hostFrom(std::string_view text);

[[nodiscard]] Bytes toWire(const Opening& opening);
[[nodiscard]] Bytes toWire(const Inward& inward);
[[nodiscard]] Bytes toWire(const Answer& answer); // its text is cut to what a head holds

template <class Head> struct Taken {
    Head head;
    std::size_t bytes = 0; // so many of the span; what follows is the connection's
};
// Nothing: the head goes on in what has not come yet. Malformed: it never will be one.
[[nodiscard]] Result<std::optional<Taken<Opening>>> openingFrom(ByteSpan bytes);
[[nodiscard]] Result<std::optional<Taken<Answer>>> answerFrom(ByteSpan bytes);
[[nodiscard]] Result<std::optional<Taken<Inward>>> inwardFrom(ByteSpan bytes);

} // namespace carrel::net
