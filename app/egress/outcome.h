// SPDX-License-Identifier: Apache-2.0
// What becomes of a connection that an agent's machine asked for: one closed list, the same on the wire (app/clerk/link.h), in the
// timeline and for a person.
//
//   open         it is connected
//   denied       a rule, a person or Carrel itself says no
//   expired      nobody answered in time: no, but no one said so
//   offline      the agent has no network
//   unresolved   no address is known for the name
//   unreachable  no way leads there, or the proxy would not
//   refused      the other side said no: nobody listens there
//   timed-out    the other side said nothing
//   limit        too much at once
//   closed       whoever asked has gone
// Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <string_view>

namespace carrel::egress {

enum class Outcome { Open, Denied, Expired, Offline, Unresolved, Unreachable, Refused, TimedOut, Limit, Closed };
[[nodiscard]] std::string_view toString(Outcome outcome);

// How an agent reaches the network. Offline: not at all. Ask: what no rule speaks of is asked. Allowlist: that is denied.
enum class NetMode { Offline, Ask, Allowlist };
[[nodiscard]] std::string_view toString(NetMode mode);
[[nodiscard]] Result<NetMode> netModeFrom(std::string_view text);

// What the clerk makes of a connection's bytes (app/clerk/link.h).
enum class Treat { Raw, Tls, Http };
[[nodiscard]] std::string_view toString(Treat treat);

} // namespace carrel::egress
