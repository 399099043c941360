// SPDX-License-Identifier: Apache-2.0
// How an agent reaches the network, and what comes of each connection that it asks for: one closed list, the same on the wire
// (guest/protocol/net_wire.h, whose Waiting is a note and never an outcome here), on the link to the clerk, in the timeline and for a
// person. Closed here: whoever asked has gone. Thread: pure functions.
#pragma once

#include "guest/protocol/net_wire.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <string_view>

namespace carrel::egress {

using net::Outcome;
using net::toString;

// How an agent reaches the network. Offline: not at all. Ask: what no rule speaks of is asked. Allowlist: that is denied.
enum class NetMode { Offline, Ask, Allowlist };
[[nodiscard]] std::string_view toString(NetMode mode);
[[nodiscard]] Result<NetMode> netModeFrom(std::string_view text);

// What the clerk makes of a connection's bytes (app/clerk/link.h).
enum class Treat { Raw, Tls, Http, Terminate };
[[nodiscard]] std::string_view toString(Treat treat);

} // namespace carrel::egress
