// SPDX-License-Identifier: Apache-2.0
// The one name by which an agent's machine reaches a server on this computer's own loopback, such as one that runs models. It is no
// name of DNS: nobody is asked where it leads, and it leads to loopback alone, to the very port that is asked for. It is connected to
// only where a rule names it with that port (risk high, Egress): no question to the owner and no rule with a star opens it, and no
// other name for loopback leads there by such a rule.
// Thread: pure functions.
#pragma once

#include "app/egress/destination.h"

#include <vector>

namespace carrel::egress {

inline constexpr std::string_view kOwnComputer = "host.carrel.internal"; // ".internal" is kept for private use (ICANN, 2024), and Ollama takes it for local

[[nodiscard]] bool isOwnComputer(const Destination& to);
// 127.0.0.1, then ::1.
[[nodiscard]] std::vector<Endpoint> ownComputerAt(std::uint16_t port);

} // namespace carrel::egress
