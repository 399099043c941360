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
    std::uint64_t queued = 0; // given to the kernel and not acknowledged: it may still be delivered when nobody has the socket any more
};
// None: not to be had of this socket. Each of the first two may count one more for the end of its direction.
[[nodiscard]] std::optional<SocketCounts> countsOf(int socket);
// What came since `from`; what is queued, as it is now.
[[nodiscard]] SocketCounts since(const SocketCounts& from, const SocketCounts& now);

} // namespace carrel::egress
