// SPDX-License-Identifier: Apache-2.0
// Where a connection is to go, as the agent's machine asked for it, in the one spelling that rules are matched with. What comes
// here is hostile: a name that two readers take for two hosts passes by a rule that denies one of them.
//
// A name is one of DNS in lower case (RFC 1034, section 3.5; the underscore, which some hosts have), of A-labels where it is
// international (RFC 5890), without the dot at its end. One whose last label is a number is none: resolvers take "127.1",
// "0x7f.1" and "2130706433" for addresses.
// Thread: values, pure functions.
#pragma once

#include "app/egress/address.h"

#include <variant>

namespace carrel::egress {

inline constexpr std::size_t kMaxHostName = 253;  // RFC 1035, as text
inline constexpr std::size_t kMaxHostLabel = 63;

class HostName {
public:
    [[nodiscard]] static Result<HostName> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const { return m_text; }
    friend auto operator<=>(const HostName&, const HostName&) = default;

private:
    explicit HostName(std::string text)
        : m_text(std::move(text)) {}
    std::string m_text;
};

struct Destination {
    std::variant<HostName, Address> host;
    std::uint16_t port = 0; // never 0

    // Malformed: the host is neither, or the port is 0.
    [[nodiscard]] static Result<Destination> parse(std::string_view host, std::uint64_t port);
    [[nodiscard]] std::string hostText() const;
    [[nodiscard]] std::string text() const; // example.org:443, [2001:db8::1]:443
    [[nodiscard]] const Address* address() const { return std::get_if<Address>(&host); }
    friend auto operator<=>(const Destination&, const Destination&) = default;
};

// One address and port of it, to connect to.
struct Endpoint {
    Address address;
    std::uint16_t port = 0;
    [[nodiscard]] std::string text() const { return Destination{address, port}.text(); }
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

} // namespace carrel::egress
