// SPDX-License-Identifier: Apache-2.0
#include "app/egress/socket_counts.h"

#include <cstddef>
#include <linux/tcp.h> // glibc's own lacks the counters
#include <netinet/in.h>
#include <sys/socket.h>

namespace carrel::egress {

std::optional<SocketCounts> countsOf(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
        return std::nullopt;
    }
    return SocketCounts{info.tcpi_bytes_acked, info.tcpi_bytes_received};
}

SocketCounts since(const SocketCounts& from, const SocketCounts& now) {
    const auto more = [](std::uint64_t before, std::uint64_t after) { return after > before ? after - before : 0; };
    return {more(from.sent, now.sent), more(from.received, now.received)};
}

} // namespace carrel::egress
