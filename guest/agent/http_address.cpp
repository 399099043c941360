// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/http_address.h"

#include <charconv>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostText = 2048;

tl::unexpected<Error> wrong(const std::string& why) {
    return fail(ErrorCode::InvalidArgument, "the model's address is not usable: " + why,
                "write it like https://api.example.org or http://localhost:11434/v1");
}

bool isHost(std::string_view host) {
    return !host.empty() && host.size() <= 253 &&
           host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == std::string_view::npos;
}

} // namespace

Result<HttpAddress> HttpAddress::parse(std::string_view text) {
    HttpAddress out;
    if (text.size() > kMostText) {
        return wrong("it is too long");
    }
    for (const char c : text) {
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f) {
            return wrong("it holds a character that no address has");
        }
    }
    if (text.starts_with("https://")) {
        text.remove_prefix(8);
    } else if (text.starts_with("http://")) {
        text.remove_prefix(7);
        out.scheme = Scheme::Http;
        out.port = 80;
    } else {
        return wrong("it begins with neither https:// nor http://");
    }
    if (text.find_first_of("?#\\") != std::string_view::npos) {
        return wrong("it may hold neither ? nor #");
    }
    const auto slash = text.find('/');
    auto place = text.substr(0, slash);
    out.base = slash == std::string_view::npos ? "" : text.substr(slash);
    while (out.base.ends_with('/')) {
        out.base.pop_back();
    }
    if (place.find('@') != std::string_view::npos) {
        return wrong("a name and a password have no place in it; keep keys with \"carrel credential add\"");
    }
    std::string_view port;
    bool hasPort = false;
    if (place.starts_with('[')) {
        const auto end = place.find(']');
        if (end == std::string_view::npos ||
            place.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos ||
            place.substr(1, end - 1).find(':') == std::string_view::npos) {
            return wrong("what stands in brackets is no IPv6 address");
        }
        out.host = place.substr(1, end - 1);
        place.remove_prefix(end + 1);
        if (!place.empty()) {
            if (place.front() != ':') {
                return wrong("something follows the brackets");
            }
            hasPort = true;
            port = place.substr(1);
        }
    } else {
        const auto colon = place.find(':');
        out.host = place.substr(0, colon);
        hasPort = colon != std::string_view::npos;
        port = hasPort ? place.substr(colon + 1) : "";
        if (!isHost(out.host)) {
            return wrong("it has no host");
        }
    }
    if (hasPort) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc() || end != port.data() + port.size() || out.port == 0) {
            return wrong("its port is not a number from 1 to 65535");
        }
    }
    return out;
}

std::string HttpAddress::authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    const bool own = port == (scheme == Scheme::Https ? 443 : 80);
    return own ? name : name + ":" + std::to_string(port);
}

std::string HttpAddress::target(std::string_view path) const {
    const auto second = path.find('/', 1);
    if (second != std::string_view::npos && base.ends_with(path.substr(0, second))) {
        return base + std::string(path.substr(second));
    }
    return base + std::string(path);
}

} // namespace carrel::agent
