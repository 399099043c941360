// SPDX-License-Identifier: Apache-2.0
#include "app/egress/destination.h"

#include <algorithm>

namespace carrel::egress {

namespace {

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

bool isLabel(std::string_view label) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || isDigit(c) || c == '-' || c == '_'; };
    if (label.empty() || label.size() > kMaxHostLabel || !std::all_of(label.begin(), label.end(), fits) ||
        label.front() == '-' || label.back() == '-') {
        return false;
    }
    // Two hyphens there are reserved, and mean an A-label only after "xn" (RFC 5891, section 4.2.3.1).
    const bool reserved = label.size() >= 4 && label[2] == '-' && label[3] == '-';
    return !reserved || (label.starts_with("xn--") && label.size() > 4);
}

// As the URL standard's "ends in a number": decimal, octal or hexadecimal.
bool isNumber(std::string_view label) {
    if (std::all_of(label.begin(), label.end(), isDigit)) {
        return true;
    }
    const auto isHex = [](char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); };
    return label.starts_with("0x") && std::all_of(label.begin() + 2, label.end(), isHex);
}

} // namespace

Result<HostName> HostName::parse(std::string_view text) {
    const auto wrong = [] { return fail(ErrorCode::Malformed, "that is no name of a host in the one spelling that is matched"); };
    if (text.empty() || text.size() > kMaxHostName) {
        return wrong();
    }
    for (std::size_t at = 0; at <= text.size();) {
        const auto dot = std::min(text.find('.', at), text.size());
        const auto label = text.substr(at, dot - at);
        if (!isLabel(label) || (dot == text.size() && isNumber(label))) {
            return wrong();
        }
        at = dot + 1;
    }
    return HostName(std::string(text));
}

Result<Destination> Destination::parse(std::string_view host, std::uint64_t port) {
    if (port == 0 || port > UINT16_MAX) {
        return fail(ErrorCode::Malformed, "there is no such port");
    }
    const auto number = static_cast<std::uint16_t>(port);
    if (auto address = Address::parse(host)) {
        return Destination{*address, number};
    }
    auto name = HostName::parse(host);
    return name ? Result<Destination>(Destination{std::move(*name), number}) : fail(std::move(name).error());
}

std::string Destination::hostText() const {
    const auto* at = address();
    return at != nullptr ? at->text() : std::get<HostName>(host).text();
}

std::string Destination::text() const {
    const auto* at = address();
    const bool brackets = at != nullptr && !at->isV4();
    return (brackets ? "[" : "") + hostText() + (brackets ? "]:" : ":") + std::to_string(port);
}

} // namespace carrel::egress
