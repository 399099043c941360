// SPDX-License-Identifier: Apache-2.0
#include "app/egress/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>

namespace carrel::egress {

namespace {

constexpr std::size_t kLongest = INET6_ADDRSTRLEN - 1;

} // namespace

Address::Address(V4Bytes bytes)
    : m_family(Family::V4) {
    std::copy(bytes.begin(), bytes.end(), m_bytes.begin());
}

Address::Address(V6Bytes bytes)
    : m_family(Family::V6)
    , m_bytes(bytes) {}

Result<Address> Address::parse(std::string_view text) {
    const auto wrong = [] { return fail(ErrorCode::Malformed, "that is no address in the one spelling that is matched"); };
    if (text.empty() || text.size() > kLongest || text.find('\0') != std::string_view::npos) {
        return wrong();
    }
    const std::string given(text);
    V4Bytes four{};
    V6Bytes six{};
    std::optional<Address> found;
    if (::inet_pton(AF_INET, given.c_str(), four.data()) == 1) {
        found = Address(four);
    } else if (::inet_pton(AF_INET6, given.c_str(), six.data()) == 1) {
        found = Address(six);
    }
    return found && found->text() == given ? Result<Address>(*found) : wrong();
}

Result<Address> Address::of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &from, sizeof in);
        V4Bytes bytes{};
        std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
        return Address(bytes);
    }
    if (from.ss_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &from, sizeof in);
        V6Bytes bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        if (in.sin6_scope_id == 0) {
            return Address(bytes);
        }
    }
    return fail(ErrorCode::Unsupported, "that is no address that is reached from everywhere");
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> out{};
    (void)::inet_ntop(isV4() ? AF_INET : AF_INET6, m_bytes.data(), out.data(), out.size());
    return out.data();
}

bool Address::isWithin(const Address& prefix, unsigned length) const {
    if (m_family != prefix.m_family || length > bits()) {
        return false;
    }
    for (unsigned bit = 0; bit < length; bit += 8) {
        const auto mask = static_cast<std::uint8_t>(length - bit >= 8 ? 0xffU : 0xffU << (8 - (length - bit)));
        if (((m_bytes[bit / 8] ^ prefix.m_bytes[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

socklen_t Address::put(sockaddr_storage& into, std::uint16_t port) const {
    into = {};
    if (isV4()) {
        sockaddr_in out{};
        out.sin_family = AF_INET;
        out.sin_port = htons(port);
        std::memcpy(&out.sin_addr, m_bytes.data(), sizeof out.sin_addr);
        std::memcpy(&into, &out, sizeof out);
        return sizeof out;
    }
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_port = htons(port);
    std::memcpy(&out.sin6_addr, m_bytes.data(), sizeof out.sin6_addr);
    std::memcpy(&into, &out, sizeof out);
    return sizeof out;
}

} // namespace carrel::egress
