// SPDX-License-Identifier: Apache-2.0
#include "app/egress/socket_counts.h"

#include <cstddef>
#include <linux/sockios.h>
#include <linux/tcp.h> // glibc's own lacks the counters
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace carrel::egress {

std::optional<SocketCounts> countsOf(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
        return std::nullopt;
    }
    int queued = 0;
    if (::ioctl(socket, SIOCOUTQ, &queued) != 0 || queued < 0) {
        queued = 0;
    }
    return SocketCounts{info.tcpi_bytes_acked, info.tcpi_bytes_received, static_cast<std::uint64_t>(queued)};
}

SocketCounts since(const SocketCounts& from, const SocketCounts& now) {
    const auto more = [](std::uint64_t before, std::uint64_t after) { return after > before ? after - before : 0; };
    return {more(from.sent, now.sent), more(from.received, now.received), now.queued};
}

} // namespace carrel::egress
