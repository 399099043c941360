// SPDX-License-Identifier: Apache-2.0
// The addresses of a host (getaddrinfo(3)), which cannot be broken off by itself: it runs on a thread of its own, which is left behind
// when nobody waits for it any more. In a program without shared libraries the linker warns of it; files and DNS, which Debian's
// nsswitch.conf(5) names, are a part of the C library itself since glibc 2.34, and what else may stand there is passed over. Thread: any.
#pragma once

#include "guest/agent/turn_failure.h"

#include <boost/asio/ip/tcp.hpp>

#include <stop_token>

namespace carrel::agent {

// NoSuchHost: the name leads nowhere. NoConnection: nobody could say, or not in time. Cancelled.
[[nodiscard]] TurnResult<std::vector<boost::asio::ip::tcp::endpoint>> lookUp(const std::string& host, std::uint16_t port,
                                                                             std::chrono::milliseconds time, const std::stop_token& stop);

} // namespace carrel::agent
