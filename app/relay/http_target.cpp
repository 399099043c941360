// SPDX-License-Identifier: Apache-2.0
#include "app/relay/http_target.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr const char* kNoTarget = "the request's target is not in good order";
constexpr const char* kToAProxy = "the request is one to a proxy, for another host than the connection; where requests are read, no host is one";

bool isUnreserved(char c) {
    constexpr std::string_view kMarks = "-._~";
    return (lowerOf(c) >= 'a' && lowerOf(c) <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
}

HttpResult<std::string> normalisedPath(std::string_view path) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] != '%') {
            out += path[i];
            continue;
        }
        const auto high = i + 2 < path.size() ? hexDigit(path[i + 1]) : std::nullopt;
        const auto low = high ? hexDigit(path[i + 2]) : std::nullopt;
        if (!low) {
            return httpFault(400, kNoTarget);
        }
        const char c = static_cast<char>(*high * 16 + *low);
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
            return httpFault(400, "the request's path holds an encoded control character");
        }
        if (isUnreserved(c)) {
            out += c;
        } else {
            out += {'%', kDigits[*high], kDigits[*low]};
        }
        i += 2;
    }
    return out;
}

// Steps that stay where they are (RFC 3986, section 5.2.4): apt has one in each request to a repository without a distribution.
std::string withoutStays(std::string path) {
    for (auto at = path.find("/./"); at != std::string::npos; at = path.find("/./", at)) {
        path.erase(at, 2);
    }
    if (path.ends_with("/.")) {
        path.pop_back();
    }
    return path;
}

// Of a normalised path. A piece ends where any server may see its end.
bool hasDotSegment(std::string_view path) {
    while (!path.empty()) {
        std::size_t end = 0;
        std::size_t mark = 0;
        for (; end < path.size(); ++end) {
            mark = path[end] == '/' ? 1 : path.substr(end, 3) == "%2F" || path.substr(end, 3) == "%5C" ? 3 : 0;
            if (mark > 0) {
                break;
            }
        }
        auto piece = path.substr(0, end);
        piece = piece.substr(0, std::min(piece.find(';'), piece.find("%3B")));
        if (piece == "." || piece == "..") {
            return true;
        }
        path.remove_prefix(std::min(path.size(), end + mark));
    }
    return false;
}

// What follows the authority; nullopt: no absolute-form. `authority` is what stands there.
std::optional<std::string_view> afterAuthority(std::string_view text, Scheme scheme, std::string_view& authority) {
    const std::string_view prefix = scheme == Scheme::Https ? "https://" : "http://";
    if (!isSameWord(text.substr(0, prefix.size()), prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(prefix.size());
    const auto end = std::min(text.find_first_of("/?"), text.size());
    authority = text.substr(0, end);
    return text.substr(end);
}

} // namespace

std::uint16_t defaultPort(Scheme scheme) {
    return scheme == Scheme::Https ? 443 : 80;
}

std::string Origin::text() const {
    const std::string written = host.find(':') != std::string::npos ? "[" + host + "]" : host;
    return port == defaultPort(scheme) ? written : written + ":" + std::to_string(port);
}

bool Origin::isNamedBy(std::string_view given) const {
    const std::string written = text();
    return isSameWord(given, written) || (port == defaultPort(scheme) && isSameWord(given, written + ":" + std::to_string(port)));
}

HttpResult<Target> readTarget(std::string_view text, std::string_view method, const Origin& origin) {
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; })) {
        return httpFault(400, kNoTarget);
    }
    if (text == "*") {
        return method == "OPTIONS" ? HttpResult<Target>(Target{"*", ""}) : httpFault(400, kNoTarget);
    }
    if (!text.starts_with('/')) {
        std::string_view authority;
        const auto rest = afterAuthority(text, origin.scheme, authority);
        if (!rest) {
            const bool isOfTheOther = afterAuthority(text, origin.scheme == Scheme::Https ? Scheme::Http : Scheme::Https, authority).has_value();
            return isOfTheOther ? httpFault(421, kToAProxy) : httpFault(400, kNoTarget);
        }
        if (!origin.isNamedBy(authority)) {
            return httpFault(421, kToAProxy);
        }
        text = *rest;
    }
    const auto mark = std::min(text.find('?'), text.size());
    auto path = mark == 0 ? HttpResult<std::string>("/") : normalisedPath(text.substr(0, mark));
    if (!path) {
        return tl::unexpected(path.error());
    }
    *path = withoutStays(std::move(*path));
    if (path->find('\\') != std::string::npos || hasDotSegment(*path)) {
        return httpFault(400, "the request's path holds dot segments or a backslash, which are read differently by different servers");
    }
    return Target{std::move(*path), std::string(text.substr(mark))};
}

} // namespace carrel::relay
