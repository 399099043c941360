// SPDX-License-Identifier: Apache-2.0
// Which addresses an agent does not reach by itself: those that are not of the internet at large, but of this computer, of the
// user's own networks, of whoever runs the machine that it is, or other spellings of such. One of them is reached only where a
// rule, or the owner, names that very address and port, and some not even then. Judged is the address that is connected to, right
// before: what a name led to a moment ago means nothing (DNS rebinding).
//
// Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and IPv6 Multicast and IPv4 Multicast registries;
// each row names its RFC. Rows that the registries call globally reachable (AS112, AMT) are left out on purpose. Of IPv6 only
// 2000::/3 is given out (IANA IPv6 Global Unicast Address Assignments); all else is refused, known or not.
// Thread: pure functions, but for OwnNetworks::read(), which asks the kernel.
#pragma once

#include "app/egress/address.h"

#include <optional>
#include <span>
#include <vector>

namespace carrel::egress {

enum class Naming {
    Possible, // the owner may name it
    Never,    // another spelling of an address, or none of a host: it is not connected to, whoever says so
};

struct SpecialRange {
    std::string_view prefix; // in the spelling of Address
    unsigned length;
    std::string_view what;   // "it is an address of …", for a person
    Naming naming;
    std::string_view source;
};

// All of them; of two that hold an address the one that comes first tells what it is.
[[nodiscard]] std::span<const SpecialRange> specialRanges();

struct Special {
    std::string_view what;
    Naming naming = Naming::Possible;
};
// None: an address of the internet at large.
[[nodiscard]] std::optional<Special> specialOf(const Address& address);

// What this computer itself has: its addresses, and the IPv6 networks that it lies in, whose other hosts are the user's own as
// much as those of a private range are.
class OwnNetworks {
public:
    struct Network {
        Address address;
        unsigned length = 0;
    };
    explicit OwnNetworks(std::vector<Network> interfaces);
    // getifaddrs(3). An error is told: then nobody knows which addresses are this computer's.
    [[nodiscard]] static Result<OwnNetworks> read();
    [[nodiscard]] std::optional<Special> specialOf(const Address& address) const;

private:
    std::vector<Network> m_interfaces;
};

} // namespace carrel::egress
