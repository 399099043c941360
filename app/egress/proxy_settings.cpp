// SPDX-License-Identifier: Apache-2.0
#include "app/egress/proxy_settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace carrel::egress {

namespace {

constexpr std::size_t kMaxSetting = 4096;
constexpr std::size_t kMaxExceptions = 1000;
constexpr std::uint16_t kHttpProxyPort = 8080, kSocksPort = 1080; // where none is given, as curl has them but for 8080
constexpr std::uint16_t kHttp = 80, kHttps = 443;

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

std::optional<std::uint16_t> portFrom(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0 ? std::optional(port) : std::nullopt;
}

// RFC 3986: %40 for an @ in a password.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(std::min(i + 1, text.size()), 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2 || value < 0x20 || value == 0x7f) {
            return std::nullopt;
        }
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

// host, host:port, [address]:port.
std::optional<Destination> placeFrom(std::string_view text, std::uint16_t otherwise) {
    auto host = text;
    auto port = otherwise;
    const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
    const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto given = portFrom(text.substr(colon + 1));
        if (!given) {
            return std::nullopt;
        }
        port = *given;
        host = text.substr(0, colon);
    }
    if (bracket != std::string_view::npos) {
        if (host.size() != bracket + 1) {
            return std::nullopt;
        }
        host = host.substr(1, bracket - 1);
    }
    auto out = Destination::parse(lowered(host), port);
    return out ? std::optional(std::move(*out)) : std::nullopt;
}

// `name`: of the variable. Its value may hold a password, and stands in no error.
Result<Proxy> proxyFrom(const std::string& name, std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return fail(ErrorCode::InvalidArgument, "the setting " + name + " cannot be followed: " + std::string(why),
                    "Set it as http://host:port or socks5h://host:port, or unset it, and start Carrel's engine again");
    };
    Proxy out{Proxy::Kind::Http, {Address(Address::V4Bytes{}), 1}, {}, {}};
    if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
        const auto kind = lowered(text.substr(0, scheme));
        text.remove_prefix(scheme + 3);
        if (kind == "socks5" || kind == "socks5h") { // both: the name is sent to it
            out.kind = Proxy::Kind::Socks5;
        } else if (kind != "http") {
            return wrong("a proxy of that kind is not known");
        }
    }
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
        if (slash + 1 != text.size()) {
            return wrong("a proxy has no path");
        }
        text.remove_suffix(1);
    }
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const auto who = text.substr(0, at);
        const auto colon = std::min(who.find(':'), who.size());
        const auto user = decoded(who.substr(0, colon));
        const auto password = decoded(who.substr(std::min(colon + 1, who.size())));
        if (!user || !password || user->size() > 255 || password->size() > 255) { // RFC 1929
            return wrong("its user or password cannot be sent");
        }
        out.user = *user;
        out.password = *password;
        text.remove_prefix(at + 1);
    }
    const auto place = placeFrom(text, out.kind == Proxy::Kind::Http ? kHttpProxyPort : kSocksPort);
    if (!place) {
        return wrong("it names no host and port");
    }
    out.at = *place;
    return out;
}

} // namespace

Result<ProxySettings> ProxySettings::from(const Variable& variable) {
    const auto setting = [&](const std::string& name) -> std::optional<std::pair<std::string, std::string>> {
        for (const auto& spelled : {lowered(name), name}) {
            if (auto value = variable(spelled)) {
                return std::pair(spelled, std::move(*value)); // an empty one in small letters unsets the other
            }
        }
        return std::nullopt;
    };
    ProxySettings out;
    for (const auto& [name, into] : {std::pair("HTTP_PROXY", &out.m_http), {"HTTPS_PROXY", &out.m_https}, {"ALL_PROXY", &out.m_all}}) {
        const auto given = setting(name);
        if (!given || given->second.empty()) {
            continue;
        }
        if (given->second.size() > kMaxSetting) {
            return fail(ErrorCode::InvalidArgument, "the setting " + given->first + " is too long to be followed");
        }
        auto proxy = proxyFrom(given->first, given->second);
        if (!proxy) {
            return fail(std::move(proxy).error());
        }
        *into = std::move(*proxy);
    }
    if (const auto except = setting("NO_PROXY")) {
        out.m_except = exceptionsFrom(except->second);
        out.m_allDirect = std::any_of(out.m_except.begin(), out.m_except.end(), [](const Except& each) { return each.suffix == "*"; });
    }
    return out;
}

Result<ProxySettings> ProxySettings::fromEnvironment() {
    return from([](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    });
}

// What is none is passed over, as other programs do: it only makes fewer connections go around the proxy.
std::vector<ProxySettings::Except> ProxySettings::exceptionsFrom(std::string_view text) {
    std::vector<Except> out;
    for (std::size_t at = 0; at < text.size() && out.size() < kMaxExceptions;) {
        const auto end = std::min(text.find_first_of(", ", at), text.size());
        auto one = text.substr(at, end - at);
        at = end + 1;
        if (one.empty()) {
            continue;
        }
        if (one == "*") {
            out.push_back({"*", {}, 0, {}});
            continue;
        }
        if (const auto slash = one.find('/'); slash != std::string_view::npos) {
            const auto network = Address::parse(lowered(one.substr(0, slash)));
            unsigned length = 0;
            const auto digits = one.substr(slash + 1);
            const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
            if (network && error == std::errc{} && last == digits.data() + digits.size() && length <= network->bits()) {
                out.push_back({{}, *network, length, {}});
            }
            continue;
        }
        if (const auto address = Address::parse(lowered(one))) {
            out.push_back({{}, *address, address->bits(), {}});
            continue;
        }
        one.remove_prefix(one.starts_with("*.") ? 2 : one.starts_with('.') ? 1 : 0);
        const bool hasPort = one.find(':') != std::string_view::npos;
        const auto place = placeFrom(one, 1);
        if (!place) {
            continue;
        }
        const auto port = hasPort ? std::optional(place->port) : std::nullopt;
        if (const auto* address = place->address()) {
            out.push_back({{}, *address, address->bits(), port});
        } else {
            out.push_back({"." + place->hostText(), {}, 0, port});
        }
    }
    return out;
}

bool ProxySettings::isDirect(const Destination& to) const {
    return m_allDirect || std::any_of(m_except.begin(), m_except.end(), [&](const Except& each) {
               if (each.port && *each.port != to.port) {
                   return false;
               }
               const auto* address = to.address();
               return address != nullptr ? each.network && address->isWithin(*each.network, each.length)
                                         : !each.suffix.empty() && ("." + to.hostText()).ends_with(each.suffix);
           });
}

const Proxy* ProxySettings::proxyFor(const Destination& to) const {
    if (isDirect(to)) {
        return nullptr;
    }
    if (to.port == kHttp && m_http) {
        return &*m_http;
    }
    if (to.port == kHttps && m_https) {
        return &*m_https;
    }
    return m_all ? &*m_all : nullptr;
}

} // namespace carrel::egress
