// SPDX-License-Identifier: Apache-2.0
// An address of the internet protocol, of version 4 or 6, in the one spelling that rules are matched with: four decimal numbers
// without leading zeros (RFC 6943, section 3.1.1, tells what the others led to), or RFC 5952. No zone ("%eth0"): an address that
// needs one reaches this computer's own links only. Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace carrel::egress {

class Address {
public:
    enum class Family { V4, V6 };
    using V4Bytes = std::array<std::uint8_t, 4>;
    using V6Bytes = std::array<std::uint8_t, 16>;

    explicit Address(V4Bytes bytes);
    explicit Address(V6Bytes bytes);
    // Malformed: any other spelling, and any text that is no address.
    [[nodiscard]] static Result<Address> parse(std::string_view text);
    // As resolvers and the kernel give it; Unsupported: of another family, or with a zone.
    [[nodiscard]] static Result<Address> of(const sockaddr_storage& from);

    [[nodiscard]] Family family() const { return m_family; }
    [[nodiscard]] bool isV4() const { return m_family == Family::V4; }
    [[nodiscard]] std::string text() const;
    // Of version 4 the first four.
    [[nodiscard]] const V6Bytes& bytes() const { return m_bytes; }
    [[nodiscard]] unsigned bits() const { return isV4() ? 32 : 128; }
    // The first `length` bits are the same, and so is the family.
    [[nodiscard]] bool isWithin(const Address& prefix, unsigned length) const;
    [[nodiscard]] socklen_t put(sockaddr_storage& into, std::uint16_t port) const;

    friend auto operator<=>(const Address&, const Address&) = default;

private:
    Family m_family;
    V6Bytes m_bytes{};
};

} // namespace carrel::egress
