// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/web_address.h"

#include <algorithm>
#include <vector>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostTarget = 8192;

bool isHex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string encoded(std::string_view text) {
    constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@!$&'()*+,;=";
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool isEncoded = c == '%' && i + 2 < text.size() && isHex(text[i + 1]) && isHex(text[i + 2]);
        if (isEncoded || kPlain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 0xfU];
        }
    }
    return out;
}

// RFC 3986, section 5.2.4.
std::string withoutDots(std::string_view path) {
    std::vector<std::string_view> parts;
    bool isFolder = true;
    for (std::size_t begin = 1; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        isFolder = part.empty() || part == "." || part == "..";
        if (part == "..") {
            if (!parts.empty()) {
                parts.pop_back();
            }
        } else if (part != "." && !(part.empty() && end == path.size())) {
            parts.push_back(part);
        }
        begin = end + 1;
    }
    std::string out;
    for (const auto& part : parts) {
        out += "/" + std::string(part);
    }
    return isFolder ? out + "/" : out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
        text.remove_suffix(1);
    }
    return text;
}

tl::unexpected<Error> wrong(const std::string& why) {
    return fail(ErrorCode::InvalidArgument, "this is no address of the web: " + why, "write it like https://example.org/page");
}

bool startsLike(std::string_view text, std::string_view lower) {
    return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
           });
}

} // namespace

Result<WebAddress> WebAddress::parse(std::string_view text) {
    text = trimmed(text);
    const bool isHttps = startsLike(text, "https://");
    if (!isHttps && !startsLike(text, "http://")) {
        return wrong("it begins with neither https:// nor http://");
    }
    const std::string scheme = isHttps ? "https://" : "http://";
    auto rest = text.substr(scheme.size());
    rest = rest.substr(0, rest.find('#'));
    const auto begin = std::min(rest.find_first_of("/?"), rest.size());
    auto server = HttpAddress::parse(scheme + std::string(rest.substr(0, begin)));
    if (!server) {
        return wrong("its host and port cannot be read");
    }
    WebAddress out{std::move(*server), encoded(rest.substr(begin))};
    if (!out.target.starts_with('/')) {
        out.target.insert(0, "/");
    }
    if (out.target.size() > kMostTarget) {
        return wrong("it is too long");
    }
    return out;
}

Result<WebAddress> WebAddress::resolve(std::string_view reference) const {
    reference = trimmed(reference);
    reference = reference.substr(0, reference.find('#'));
    const auto colon = reference.find(':');
    if (colon != std::string_view::npos && colon < reference.find_first_of("/?")) {
        return parse(reference);
    }
    const std::string scheme = server.scheme == HttpAddress::Scheme::Https ? "https:" : "http:";
    if (reference.starts_with("//")) {
        return parse(scheme + std::string(reference));
    }
    const auto path = std::string_view(target).substr(0, target.find('?'));
    std::string whole;
    if (reference.empty()) {
        whole = target;
    } else if (reference.front() == '?') {
        whole = std::string(path) + std::string(reference);
    } else {
        const auto question = std::min(reference.find('?'), reference.size());
        const auto named = reference.substr(0, question);
        const auto from = named.starts_with('/') ? std::string() : std::string(path.substr(0, path.rfind('/') + 1));
        whole = withoutDots(from + std::string(named)) + std::string(reference.substr(question));
    }
    return parse(scheme + "//" + server.authority() + whole);
}

std::string WebAddress::text() const {
    return (server.scheme == HttpAddress::Scheme::Https ? "https://" : "http://") + server.authority() + target;
}

} // namespace carrel::agent
