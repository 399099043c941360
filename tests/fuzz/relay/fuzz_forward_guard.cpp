// SPDX-License-Identifier: Apache-2.0
// Any bytes as the head of a forwarded server's answer, and as an address that it leads to: what goes on is a good head, has the policy
// that keeps the page to itself, and leads nowhere else, as a browser reads it (WHATWG URL, written here by itself).
#include "tests/fuzz/relay/message_checks.h"

#include "app/relay/forward_guard.h"

#include <algorithm>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

namespace {

const Origin kOrigin{Scheme::Http, "0123456789abcdef0123456789abcdef.localhost", 40123};
constexpr std::uint16_t kPort = 8000;

bool isSlash(char c) {
    return c == '/' || c == '\\';
}

// Whether a browser that is at the origin stays there. Errs towards "no".
bool stays(std::string text) {
    while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') {
        text.erase(0, 1);
    }
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
        text.pop_back();
    }
    std::erase_if(text, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
    std::transform(text.begin(), text.end(), text.begin(), lowerOf);
    std::string_view rest = text;
    const auto colon = rest.find(':');
    const bool hasScheme = colon != std::string_view::npos && colon > 0 && rest[0] >= 'a' && rest[0] <= 'z' &&
                           std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(colon),
                                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; });
    if (hasScheme) {
        if (rest.substr(0, colon) != "http") {
            return false;
        }
        rest.remove_prefix(colon + 1);
    }
    if (rest.size() < 2 || !isSlash(rest[0]) || !isSlash(rest[1])) {
        return true; // a path, or a part of one; also "http:path"
    }
    while (!rest.empty() && isSlash(rest.front())) {
        rest.remove_prefix(1);
    }
    const auto authority = rest.substr(0, rest.find_first_of("/\\?#"));
    return authority == kOrigin.text();
}

void checkHead(std::string_view text) {
    const auto end = headIn(text, HeadSeeker::Kind::Response);
    auto head = end ? readResponse(text.substr(0, *end), "GET") : httpFault(502, "");
    if (!head) {
        return;
    }
    const ForwardGuard guard(kOrigin, kPort);
    const auto status = head->status;
    if (const auto no = guard.response(*head, {})) {
        const auto page = guard.page(*no, "GET", After::Close);
        HeadSeeker seeker(HeadSeeker::Kind::Response);
        const auto size = seeker.look(page);
        require(size && *size > 0 && readResponse(std::string_view(page).substr(0, *size), "GET").has_value());
        require(page.find("<script") == std::string::npos && page.find("javascript:\"") == std::string::npos);
        return;
    }
    requirePlain(head->fields);
    std::string policy;
    for (const auto& field : head->fields) {
        policy = isField(field, "content-security-policy") ? field.value : policy;
        require(!isField(field, "link") && !isField(field, "report-to") && !isField(field, "alt-svc"));
        require(!isField(field, "location") || status < 300 || status >= 400 || status == 304 || stays(field.value));
    }
    require(policy.starts_with("default-src 'self' "));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    checkHead(text);
    const auto lead = leadOf(text, kOrigin, kPort);
    if (lead.where == Lead::Where::Own) {
        require(stays(lead.instead.value_or(std::string(text))));
    }
    return 0;
}
