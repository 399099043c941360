// SPDX-License-Identifier: Apache-2.0
// Whose process is at the other end of a connection over loopback. There is no SO_PEERCRED for TCP; the kernel's table of sockets
// (proc(5), /proc/net/tcp) says whose each of them is. Thread: any; reads that table, which takes as long as it is.
#pragma once

#include <optional>
#include <sys/types.h>

namespace carrel::egress {

// None: it cannot be told, as of a connection that has gone by now; and so it is nobody's who may be served.
[[nodiscard]] std::optional<uid_t> ownerOfPeer(int socket); // connected, IPv4

} // namespace carrel::egress
