// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_refusal.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::clerk {

namespace {

const char* statusOf(net::Outcome outcome) {
    switch (outcome) {
    case net::Outcome::Unresolved:
    case net::Outcome::Unreachable:
    case net::Outcome::Refused:
        return "502 Bad Gateway";
    case net::Outcome::TimedOut:
        return "504 Gateway Timeout";
    default:
        return "403 Forbidden";
    }
}

// A limit that is told of is not the one on how many there are.
std::string_view reasonOf(net::Outcome outcome, bool told) {
    return told && outcome == net::Outcome::Limit ? "A limit is reached." : net::reasonOf(outcome);
}

} // namespace

Speaks speaksHttp(ByteSpan bytes) {
    constexpr std::size_t kMaxMethod = 16;
    const auto text = asText(bytes.first(std::min(bytes.size(), kMaxRefusedHead)));
    const auto method = text.substr(0, text.find(' '));
    if (method.size() > kMaxMethod || !std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
        return Speaks::Else;
    }
    if (text.find("\r\n\r\n") != std::string_view::npos || text.find("\n\n") != std::string_view::npos) {
        return Speaks::Http;
    }
    return text.size() < kMaxRefusedHead ? Speaks::More : Speaks::Else;
}

Bytes httpRefusal(const net::Opening& opening, const net::Answer& answer) {
    std::string said = plainText(answer.text, net::kMaxAnswerText);
    std::replace_if(said.begin(), said.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    std::string body = "Carrel: no connection to " + net::textOf(opening.host) + ". " + std::string(reasonOf(answer.outcome, !said.empty()));
    body += (said.empty() ? "" : " (" + said + ")") + "\n";
    return toBytes(std::string("HTTP/1.1 ") + statusOf(answer.outcome) +
                   "\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nX-Carrel-Outcome: " +
                   std::string(net::toString(answer.outcome)) + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body);
}

} // namespace carrel::clerk
