// SPDX-License-Identifier: Apache-2.0
// What is said to a proxy until the way through it is open: CONNECT (RFC 9110, section 9.3.6; RFC 9112 for its form) or SOCKS 5
// (RFC 1928, with RFC 1929 for a password). No I/O. A byte after the proxy's last one belongs to the other side, and is left alone.
// What a proxy says of why is its own word, and goes no further. Thread: a value of one connection.
#pragma once

#include "app/egress/proxy_settings.h"

#include <string>
#include <string_view>

namespace carrel::egress {

inline constexpr std::size_t kMaxProxyAnswer = 16 * 1024;

class Tunnel {
public:
    Tunnel(const Proxy& proxy, const Destination& to);

    [[nodiscard]] std::string begin(); // is sent first
    struct Step {
        std::size_t used = 0; // of what was seen; the rest is seen again
        std::string send;
        bool done = false;
    };
    // `seen`: what is there, any part of it. Refused, Unavailable, Expired: the proxy's answer. Malformed, LimitExceeded: it is none.
    [[nodiscard]] Result<Step> take(std::string_view seen);

private:
    [[nodiscard]] Result<Step> takeHttp(std::string_view seen);
    [[nodiscard]] Result<Step> takeSocks(std::string_view seen);
    [[nodiscard]] std::string socksConnect() const;

    Proxy m_proxy;
    Destination m_to;
    std::string m_head; // of an HTTP answer, so far
    enum class Socks { Method, Password, Answer } m_socks = Socks::Method;
};

} // namespace carrel::egress
