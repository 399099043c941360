// SPDX-License-Identifier: Apache-2.0
// The addresses of the agent's world. None of them ever leaves the machine, and none is one that a program could mean:
//
//   192.0.2.2, fd0b:2fc5:9a31::2  the machine's own on dummy0 (192.0.2.0/24 is for documentation, RFC 5737)
//   198.18.0.0/15                 the synthetic ones, one to a name. Reserved for benchmarks of networks (RFC 2544), so
//                                 it is neither on the internet nor, as the private ranges are, in anybody's office, VPN
//                                 or containers; and unlike 240.0.0.0/4 every program takes it for an ordinary address
//   fd0b:2fc5:9a31:1::/64         the same for IPv6: a prefix of our own with random digits (RFC 4193). Programs prefer
//                                 IPv4 to such a one (RFC 6724), so both are there and the commoner is used
//   number 1 in both              the resolver; names are numbered from kFirstName
// Thread: constants and pure functions.
#pragma once

#include "guest/protocol/net_wire.h"

#include <algorithm>

namespace carrel::guestd {

inline constexpr net::Ipv4 kOwnAddress4{192, 0, 2, 2};
inline constexpr net::Ipv6 kOwnAddress6{0xfd, 0x0b, 0x2f, 0xc5, 0x9a, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
inline constexpr net::Ipv4 kResolver4{198, 18, 0, 1};
inline constexpr net::Ipv6 kResolver6{0xfd, 0x0b, 0x2f, 0xc5, 0x9a, 0x31, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
inline constexpr const char* kResolverText4 = "198.18.0.1";

// A name's number: its place in both ranges.
using NameNumber = std::uint32_t;
inline constexpr NameNumber kFirstName = 2;
inline constexpr NameNumber kLastName = 0x1fffe; // of 17 bits; the last one looks like a broadcast address

[[nodiscard]] inline net::Ipv4 address4(NameNumber number) {
    net::Ipv4 address = kResolver4;
    address[1] = static_cast<std::uint8_t>(address[1] + (number >> 16U));
    address[2] = static_cast<std::uint8_t>(number >> 8U);
    address[3] = static_cast<std::uint8_t>(number);
    return address;
}
[[nodiscard]] inline net::Ipv6 address6(NameNumber number) {
    net::Ipv6 address = kResolver6;
    address[13] = static_cast<std::uint8_t>(number >> 16U);
    address[14] = static_cast<std::uint8_t>(number >> 8U);
    address[15] = static_cast<std::uint8_t>(number);
    return address;
}
// Nothing: not of the range.
[[nodiscard]] inline std::optional<NameNumber> numberOf(const net::Ipv4& address) {
    if (address[0] != kResolver4[0] || (address[1] & 0xfeU) != kResolver4[1]) {
        return std::nullopt;
    }
    return (address[1] & 1U) << 16U | NameNumber{address[2]} << 8U | address[3];
}
[[nodiscard]] inline std::optional<NameNumber> numberOf(const net::Ipv6& address) {
    if (!std::equal(address.begin(), address.begin() + 13, kResolver6.begin()) || address[13] > 1) {
        return std::nullopt;
    }
    return NameNumber{address[13]} << 16U | NameNumber{address[14]} << 8U | address[15];
}

} // namespace carrel::guestd
