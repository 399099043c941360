// SPDX-License-Identifier: Apache-2.0
// The time server of the agent's world, whomever a program asks: the machine's own clock, which the host sets (control.h, hello and
// clock). So an NTP client hears the host's time, and nobody outside hears of it. RFC 5905; as a server of its simple form, RFC 4330.
//
// What it says of itself: a local clock ("LOCL") of stratum 10, so that a client that also reached a real one would rather take that;
// not more than a quarter of a second off.
//
// A client's request of version 1 … 4 of exactly 48 bytes is answered with as many, so nothing is made larger. Anything else is not
// answered at all: another mode (symmetric, broadcast, control and private messages), and whatever has a key or an extension, which could
// only be answered without.
// Thread: a pure function.
#pragma once

#include "guest/protocol/bytes.h"

#include <chrono>

namespace carrel::guestd {

inline constexpr std::size_t kNtpPacket = 48;

// Empty: no answer. `came`: when the query did; `now`: when the answer goes.
[[nodiscard]] Bytes ntpAnswer(ByteSpan query, std::chrono::system_clock::time_point came, std::chrono::system_clock::time_point now);

} // namespace carrel::guestd
