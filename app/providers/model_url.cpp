// SPDX-License-Identifier: Apache-2.0
#include "app/providers/model_url.h"

#include "app/egress/address_policy.h"
#include "app/egress/own_computer.h"

#include <algorithm>
#include <charconv>

namespace carrel::providers {

using egress::Address;
using egress::Destination;
using egress::HostName;

namespace {

constexpr std::uint16_t kHttp = 80, kHttps = 443;

tl::unexpected<Error> wrong(const std::string& why, std::string hint = "Write it like https://api.example.org or http://localhost:11434/v1") {
    return fail(ErrorCode::InvalidArgument, "That is no address of a model: " + why, std::move(hint));
}

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

std::uint16_t portOf(ModelUrl::Scheme scheme) {
    return scheme == ModelUrl::Scheme::Https ? kHttps : kHttp;
}

std::string placeText(ModelUrl::Scheme scheme, const Destination& to) {
    const auto whole = to.text();
    return to.port == portOf(scheme) ? whole.substr(0, whole.rfind(':')) : whole;
}

// What is said of it is read by other programs as it stands, and sent as a path.
bool isBase(std::string_view base) {
    constexpr std::string_view kAlso = "-._~/:@!$&'()*+,;=%";
    const bool letters = std::all_of(base.begin(), base.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kAlso.find(c) != std::string_view::npos;
    });
    return letters && (std::string(base) + "/").find("/../") == std::string::npos && (std::string(base) + "/").find("/./") == std::string::npos &&
           base.find("//") == std::string_view::npos;
}

} // namespace

ModelUrl::ModelUrl(Scheme scheme, Destination written, Destination destination, std::string base, bool onThisComputer)
    : m_scheme(scheme)
    , m_written(std::move(written))
    , m_destination(std::move(destination))
    , m_base(std::move(base))
    , m_onThisComputer(onThisComputer) {}

Result<ModelUrl> ModelUrl::parse(std::string_view text) {
    if (text.size() > kMaxUrl) {
        return wrong("it is too long");
    }
    auto scheme = Scheme::Https;
    if (lowered(text.substr(0, 8)) == "https://") {
        text.remove_prefix(8);
    } else if (lowered(text.substr(0, 7)) == "http://") {
        text.remove_prefix(7);
        scheme = Scheme::Http;
    } else {
        return wrong("it begins with neither https:// nor http://");
    }
    const auto slash = std::min(text.find_first_of("/?#\\"), text.size());
    const auto place = text.substr(0, slash);
    std::string base(text.substr(slash));
    while (base.ends_with('/')) {
        base.pop_back();
    }
    if (place.find('@') != std::string_view::npos) {
        return wrong("a name and a password have no place in it", "Leave them out; a key is asked for by itself, and kept as a credential");
    }
    if (base.find_first_of("?#") != std::string::npos || !isBase(base)) {
        return wrong("what follows its host is no plain path");
    }
    const bool bracketed = place.starts_with('[');
    const auto hostEnd = bracketed ? place.find(']') : place.find(':');
    if (bracketed && hostEnd == std::string_view::npos) {
        return wrong("what stands in brackets has no end");
    }
    const auto host = lowered(bracketed ? place.substr(1, hostEnd - 1) : place.substr(0, hostEnd));
    const auto rest = hostEnd == std::string_view::npos ? std::string_view() : place.substr(bracketed ? hostEnd + 1 : hostEnd);
    std::uint16_t port = portOf(scheme);
    if (!rest.empty()) {
        const auto digits = rest.substr(1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (rest.front() != ':' || error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
            return wrong("its port is no number from 1 to 65535");
        }
    }
    auto to = Destination::parse(host, port);
    if (!to || bracketed != (to->address() != nullptr && !to->address()->isV4())) {
        return wrong("its host is neither a name nor an address");
    }
    if (egress::isOwnComputer(*to)) {
        return wrong(host + " is what machines call this computer", "Write it as it is here: http://localhost:" + std::to_string(port));
    }
    const auto own = egress::ownComputerAt(port);
    const auto isOwnAddress = [&](const Address& address) {
        return std::any_of(own.begin(), own.end(), [&](const egress::Endpoint& each) { return each.address == address; });
    };
    const bool onThisComputer = host == "localhost" || (to->address() != nullptr && isOwnAddress(*to->address()));
    if (const auto* address = to->address(); address != nullptr && !onThisComputer) {
        static const Address kLoopback(Address::V4Bytes{127, 0, 0, 0});
        const auto special = egress::specialOf(*address);
        if (address->isWithin(kLoopback, 8) || (special && special->naming == egress::Naming::Never)) {
            return wrong("no machine can be let to " + host, "For a server on this computer write http://localhost:" + std::to_string(port));
        }
    }
    if (onThisComputer && scheme == Scheme::Https) {
        return wrong("a server on this computer is spoken with in plain HTTP, since no certificate holds for the name that machines have for it",
                     "Write it as http://, at the port where the server speaks that");
    }
    if (scheme == Scheme::Https && port == kHttp) {
        return wrong("port 80 is the one of plain HTTP", "Leave the port out, or name the one where the server speaks TLS");
    }
    auto destination = onThisComputer ? Destination{HostName::parse(egress::kOwnComputer).value(), port} : *to;
    return ModelUrl(scheme, std::move(*to), std::move(destination), std::move(base), onThisComputer);
}

std::string ModelUrl::text() const {
    return (m_scheme == Scheme::Https ? "https://" : "http://") + placeText(m_scheme, m_written) + m_base;
}

std::string ModelUrl::guestText() const {
    return (m_scheme == Scheme::Https ? "https://" : "http://") + placeText(m_scheme, m_destination) + m_base;
}

} // namespace carrel::providers
