// SPDX-License-Identifier: Apache-2.0
// The other side of a connection: a real socket on loopback.
#pragma once

#include "app/egress/destination.h"
#include "guest/protocol/unique_fd.h"

#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::egress::test {

class Listener {
public:
    explicit Listener(const std::string& at = "127.0.0.1", std::uint16_t port = 0)
        : m_address(Address::parse(at).value())
        , m_fd(::socket(m_address.isV4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage raw{};
        auto size = m_address.put(raw, port);
        const int on = 1;
        (void)::setsockopt(m_fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        m_good = ::bind(m_fd.get(), reinterpret_cast<const sockaddr*>(&raw), size) == 0 && ::listen(m_fd.get(), 64) == 0;
        size = sizeof raw;
        (void)::getsockname(m_fd.get(), reinterpret_cast<sockaddr*>(&raw), &size);
        m_port = ntohs(m_address.isV4() ? reinterpret_cast<const sockaddr_in*>(&raw)->sin_port
                                        : reinterpret_cast<const sockaddr_in6*>(&raw)->sin6_port);
    }
    [[nodiscard]] bool good() const { return m_good; }
    [[nodiscard]] std::uint16_t port() const { return m_port; }
    [[nodiscard]] Endpoint endpoint() const { return {m_address, m_port}; }
    // Waits for the next one.
    UniqueFd accept() { return UniqueFd(::accept4(m_fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
    [[nodiscard]] bool hasOne() const {
        pollfd look{m_fd.get(), POLLIN, 0};
        return ::poll(&look, 1, 0) == 1;
    }

private:
    Address m_address;
    UniqueFd m_fd;
    std::uint16_t m_port = 0;
    bool m_good = false;
};

// A port that nobody listens at.
inline std::uint16_t freePort() {
    return Listener().port();
}

inline void send(const UniqueFd& to, const std::string& text) {
    (void)::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL);
}
// As much as that, waiting for it; less: the other side has ended.
inline std::string take(const UniqueFd& from, std::size_t size) {
    std::string out;
    while (out.size() < size) {
        char buffer[4096];
        pollfd look{from.get(), POLLIN, 0};
        if (::poll(&look, 1, 60'000) != 1) {
            break;
        }
        const auto got = ::recv(from.get(), buffer, std::min(sizeof buffer, size - out.size()), 0);
        if (got <= 0) {
            break;
        }
        out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
}
// The other side has ended, or ends; false: it says something, or nothing for a minute.
inline bool isOver(const UniqueFd& at) {
    pollfd look{at.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&look, 1, 60'000) == 1 && ::recv(at.get(), &byte, 1, 0) <= 0;
}
// Broken off: not as if the other side had said all that it wanted.
inline bool isReset(const UniqueFd& at) {
    pollfd look{at.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&look, 1, 60'000) == 1 && ::recv(at.get(), &byte, 1, 0) < 0 && errno == ECONNRESET;
}

} // namespace carrel::egress::test
