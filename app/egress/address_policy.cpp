// SPDX-License-Identifier: Apache-2.0
#include "app/egress/address_policy.h"

#include <array>
#include <bit>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>

namespace carrel::egress {

namespace {

constexpr std::string_view kMetadata = "a service that tells a rented computer its secrets";
constexpr std::string_view kPrivate = "a private network";
constexpr std::string_view kLoopback = "this computer itself";
constexpr std::string_view kLinkLocal = "this computer's own links";
constexpr std::string_view kExamples = "nobody: it is for examples in documents";
constexpr std::string_view kSpelling = "an IPv4 address in another spelling";
constexpr std::string_view kReserved = "nobody: it is reserved";

constexpr std::array kRanges{
    // Metadata services, narrower than the ranges that hold them; 168.63.129.16 lies in none.
    SpecialRange{"169.254.169.254", 32, kMetadata, Naming::Possible, "EC2, Compute Engine, Azure, OpenStack"},
    SpecialRange{"169.254.170.2", 32, kMetadata, Naming::Possible, "ECS task credentials"},
    SpecialRange{"168.63.129.16", 32, kMetadata, Naming::Possible, "Azure wire server"},
    SpecialRange{"100.100.100.200", 32, kMetadata, Naming::Possible, "Alibaba Cloud"},
    SpecialRange{"192.0.0.192", 32, kMetadata, Naming::Possible, "Oracle Cloud Classic"},
    SpecialRange{"fd00:ec2::254", 128, kMetadata, Naming::Possible, "EC2"},
    SpecialRange{"fd20:ce::254", 128, kMetadata, Naming::Possible, "Compute Engine"},
    // IPv4
    SpecialRange{"0.0.0.0", 8, "no host: \"this network\"", Naming::Never, "RFC 791, RFC 1122"},
    SpecialRange{"10.0.0.0", 8, kPrivate, Naming::Possible, "RFC 1918"},
    SpecialRange{"100.64.0.0", 10, "a provider's own network", Naming::Possible, "RFC 6598"},
    SpecialRange{"127.0.0.0", 8, kLoopback, Naming::Possible, "RFC 1122"},
    SpecialRange{"169.254.0.0", 16, kLinkLocal, Naming::Possible, "RFC 3927"},
    SpecialRange{"172.16.0.0", 12, kPrivate, Naming::Possible, "RFC 1918"},
    SpecialRange{"192.0.0.0", 24, kReserved, Naming::Possible, "RFC 6890"},
    SpecialRange{"192.0.2.0", 24, kExamples, Naming::Possible, "RFC 5737"},
    SpecialRange{"192.88.99.0", 24, "a relay to other networks (6to4)", Naming::Never, "RFC 7526"},
    SpecialRange{"192.168.0.0", 16, kPrivate, Naming::Possible, "RFC 1918"},
    SpecialRange{"198.18.0.0", 15, "a network for measurements", Naming::Possible, "RFC 2544"},
    SpecialRange{"198.51.100.0", 24, kExamples, Naming::Possible, "RFC 5737"},
    SpecialRange{"203.0.113.0", 24, kExamples, Naming::Possible, "RFC 5737"},
    SpecialRange{"224.0.0.0", 4, "many hosts at once (multicast)", Naming::Never, "RFC 5771"},
    SpecialRange{"255.255.255.255", 32, "every host of a network (broadcast)", Naming::Never, "RFC 919, RFC 8190"},
    SpecialRange{"240.0.0.0", 4, kReserved, Naming::Never, "RFC 1112"},
    // IPv6
    SpecialRange{"::", 128, "no host: the unspecified address", Naming::Never, "RFC 4291"},
    SpecialRange{"::1", 128, kLoopback, Naming::Possible, "RFC 4291"},
    SpecialRange{"::ffff:0.0.0.0", 96, kSpelling, Naming::Never, "RFC 4291, IPv4-mapped"},
    SpecialRange{"::ffff:0:0:0", 96, kSpelling, Naming::Never, "RFC 2765, IPv4-translated"},
    SpecialRange{"::", 96, kSpelling, Naming::Never, "RFC 4291, IPv4-compatible"},
    SpecialRange{"64:ff9b::", 96, "an IPv4 address behind a translator (NAT64)", Naming::Never, "RFC 6052"},
    SpecialRange{"64:ff9b:1::", 48, "an IPv4 address behind a translator (NAT64)", Naming::Never, "RFC 8215"},
    SpecialRange{"100::", 64, "nobody: it is discarded", Naming::Possible, "RFC 6666"},
    SpecialRange{"100:0:0:1::", 64, "nobody: it is a dummy", Naming::Possible, "RFC 9780"},
    SpecialRange{"2001::", 32, "an IPv4 address behind a tunnel (Teredo)", Naming::Never, "RFC 4380"},
    SpecialRange{"2001:2::", 48, "a network for measurements", Naming::Possible, "RFC 5180"},
    SpecialRange{"2001:db8::", 32, kExamples, Naming::Possible, "RFC 3849"},
    SpecialRange{"2001::", 23, kReserved, Naming::Possible, "RFC 2928"},
    SpecialRange{"2002::", 16, "an IPv4 address behind a tunnel (6to4)", Naming::Never, "RFC 3056"},
    SpecialRange{"3fff::", 20, kExamples, Naming::Possible, "RFC 9637"},
    SpecialRange{"5f00::", 16, kReserved, Naming::Possible, "RFC 9602"},
    SpecialRange{"fc00::", 7, kPrivate, Naming::Possible, "RFC 4193"},
    SpecialRange{"fe80::", 10, kLinkLocal, Naming::Possible, "RFC 4291"},
    SpecialRange{"fec0::", 10, kPrivate, Naming::Possible, "RFC 3879, site-local"},
    SpecialRange{"ff00::", 8, "many hosts at once (multicast)", Naming::Never, "RFC 4291"},
};

constexpr unsigned kFewestOwnBits = 48; // of a network that is one's own; a tunnel's interface may claim the whole internet

struct Row {
    Address prefix;
    unsigned length;
    Special special;
};

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows = [] {
        std::vector<Row> out;
        for (const auto& range : kRanges) {
            // A row that cannot be read would be one that refuses nothing: value() ends the program (TestAddressPolicy).
            out.push_back({Address::parse(range.prefix).value(), range.length, {range.what, range.naming}});
        }
        return out;
    }();
    return kRows;
}

unsigned prefixLength(const Address& mask) {
    unsigned bits = 0;
    for (unsigned i = 0; i < mask.bits() / 8; ++i) {
        bits += static_cast<unsigned>(std::popcount(mask.bytes()[i]));
    }
    return bits;
}

Result<Address> addressOf(const sockaddr* from) {
    sockaddr_storage copy{};
    if (from == nullptr || (from->sa_family != AF_INET && from->sa_family != AF_INET6)) {
        return fail(ErrorCode::Unsupported, "no address of the internet protocol");
    }
    std::memcpy(&copy, from, from->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    return Address::of(copy);
}

} // namespace

std::span<const SpecialRange> specialRanges() {
    return kRanges;
}

std::optional<Special> specialOf(const Address& address) {
    for (const auto& row : rows()) {
        if (address.isWithin(row.prefix, row.length)) {
            return row.special;
        }
    }
    static const Address kGivenOut(Address::V6Bytes{0x20});
    if (!address.isV4() && !address.isWithin(kGivenOut, 3)) {
        return Special{kReserved, Naming::Possible};
    }
    return std::nullopt;
}

OwnNetworks::OwnNetworks(std::vector<Network> interfaces)
    : m_interfaces(std::move(interfaces)) {}

Result<OwnNetworks> OwnNetworks::read() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return failErrno("asking for this computer's own addresses");
    }
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, ::freeifaddrs);
    std::vector<Network> out;
    for (const auto* each = list; each != nullptr; each = each->ifa_next) {
        const auto address = addressOf(each->ifa_addr);
        if (!address) {
            continue; // a link's own, which is special anyway, or of another kind
        }
        const auto mask = addressOf(each->ifa_netmask);
        out.push_back({*address, mask && mask->family() == address->family() ? prefixLength(*mask) : address->bits()});
    }
    return OwnNetworks(std::move(out));
}

std::optional<Special> OwnNetworks::specialOf(const Address& address) const {
    for (const auto& own : m_interfaces) {
        if (own.address == address) {
            return Special{kLoopback, Naming::Possible};
        }
        if (!address.isV4() && own.length >= kFewestOwnBits && address.isWithin(own.address, own.length)) {
            return Special{"a network that this computer is in", Naming::Possible};
        }
    }
    return std::nullopt;
}

} // namespace carrel::egress
