// SPDX-License-Identifier: Apache-2.0
// The host's own way out, where there is one: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as other programs of the user read
// them (in small letters, too, which win). Port 80 goes by HTTP_PROXY, port 443 by HTTPS_PROXY, what none is set for and every
// other port by ALL_PROXY; without one, directly.
//
// A proxy resolves the name, so nobody here sees which address is connected to: only names go through one, and it is said that the
// address is unchecked. The proxy itself is the owner's word and may be at any address. A password of it is kept in memory only,
// and stands in no error.
// Thread: values, pure functions; fromEnvironment() once, before there are threads that change it.
#pragma once

#include "app/egress/destination.h"

#include <functional>
#include <optional>
#include <vector>

namespace carrel::egress {

struct Proxy {
    enum class Kind { Http, Socks5 }; // CONNECT (RFC 9110, section 9.3.6); RFC 1928 with the name sent to it
    Kind kind = Kind::Http;
    Destination at;
    std::string user, password;
};

class ProxySettings {
public:
    using Variable = std::function<std::optional<std::string>(const std::string& name)>;
    // InvalidArgument: a setting that cannot be followed, by its name and without its value. Going around a proxy that the user
    // has set would be no answer to that.
    [[nodiscard]] static Result<ProxySettings> from(const Variable& variable);
    [[nodiscard]] static Result<ProxySettings> fromEnvironment();

    // None: directly.
    [[nodiscard]] const Proxy* proxyFor(const Destination& to) const;

private:
    struct Except { // of NO_PROXY
        std::string suffix;             // ".example.org", and the name itself
        std::optional<Address> network; // or these addresses
        unsigned length = 0;
        std::optional<std::uint16_t> port;
    };
    [[nodiscard]] static std::vector<Except> exceptionsFrom(std::string_view text);
    [[nodiscard]] bool isDirect(const Destination& to) const;

    std::optional<Proxy> m_http, m_https, m_all;
    std::vector<Except> m_except;
    bool m_allDirect = false;
};

} // namespace carrel::egress
