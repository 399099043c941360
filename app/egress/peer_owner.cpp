// SPDX-License-Identifier: Apache-2.0
#include "app/egress/peer_owner.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <string>
#include <sys/socket.h>

namespace carrel::egress {

namespace {

// As the kernel writes it: the address as the number that its bytes are on this computer, the port as a number.
std::string entryOf(const sockaddr_in& name) {
    std::array<char, 16> text{};
    const int length = std::snprintf(text.data(), text.size(), "%08X:%04X", name.sin_addr.s_addr, ntohs(name.sin_port));
    return {text.data(), static_cast<std::size_t>(length)};
}

} // namespace

std::optional<uid_t> ownerOfPeer(int socket) {
    sockaddr_in ours{};
    sockaddr_in theirs{};
    socklen_t size = sizeof ours;
    socklen_t peerSize = sizeof theirs;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &size) != 0 ||
        ::getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &peerSize) != 0 || ours.sin_family != AF_INET) {
        return std::nullopt;
    }
    const auto local = entryOf(theirs);
    const auto remote = entryOf(ours);
    std::ifstream table("/proc/net/tcp");
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream words(line);
        // number, local and remote address, state, queues, timer, retransmissions, user
        std::array<std::string, 8> word;
        for (auto& each : word) {
            words >> each;
        }
        if (!words || word[1] != local || word[2] != remote) {
            continue;
        }
        uid_t owner = 0;
        const auto& text = word[7];
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), owner);
        return error == std::errc{} && end == text.data() + text.size() ? std::optional(owner) : std::nullopt;
    }
    return std::nullopt;
}

} // namespace carrel::egress
