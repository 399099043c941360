// SPDX-License-Identifier: Apache-2.0
// What went through a connection, as the kernel counted it (tcp(7), TCP_INFO): of whoever has the socket by now, and without
// asking a clerk, which may be broken. Thread: any.
#pragma once

#include <cstdint>
#include <optional>

namespace carrel::egress {

struct SocketCounts {
    std::uint64_t sent = 0;     // and acknowledged by the other side
    std::uint64_t received = 0;
};
// None: not to be had of this socket. Each may count one more for the end of its direction.
[[nodiscard]] std::optional<SocketCounts> countsOf(int socket);
// What came since `from`.
[[nodiscard]] SocketCounts since(const SocketCounts& from, const SocketCounts& now);

} // namespace carrel::egress
