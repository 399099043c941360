// SPDX-License-Identifier: Apache-2.0
// A refusal in the language of a program that speaks plain HTTP.
// Thread: pure functions.
#pragma once

#include "guest/protocol/net_wire.h"

namespace carrel::clerk {

inline constexpr std::size_t kMaxRefusedHead = 16 * 1024;

// Whether the program has said enough to be answered. More: not yet; Good: it speaks HTTP, and its request's head has come;
// Bad: it does not, or goes on and on.
enum class Speaks { More, Http, Else };
[[nodiscard]] Speaks speaksHttp(ByteSpan bytes);

// 403 where somebody said no, 502 or 504 where the far end could not be reached; the reason is the body. The connection
// ends with it.
[[nodiscard]] Bytes httpRefusal(const net::Opening& opening, const net::Answer& answer);

} // namespace carrel::clerk
