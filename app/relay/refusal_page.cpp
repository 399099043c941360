// SPDX-License-Identifier: Apache-2.0
#include "app/relay/refusal_page.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::relay {

std::string_view reasonOf(int status) {
    switch (status) {
    case 400:
        return "Bad Request";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Forbidden";
    }
}

namespace {

std::string oneLine(std::string_view text) {
    std::string out = plainText(text, kMaxRefusalText);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    return out;
}

} // namespace

std::string refusalPage(const Refusal& refusal, const Origin& origin, std::string_view method, After after) {
    const std::string outcome = isToken(refusal.outcome) ? refusal.outcome : "denied";
    std::string text = oneLine(refusal.text);
    text += text.empty() || text.back() == '.' ? "" : ".";
    const std::string body = "Carrel did not let this request through to " + origin.text() + ". " + text + "\noutcome: " + outcome +
                             "\nhost: " + origin.text() + "\n";
    return "HTTP/1.1 " + std::to_string(refusal.status) + " " + std::string(reasonOf(refusal.status)) +
           "\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nX-Carrel-Outcome: " + outcome + "\r\n" +
           (after == After::Close ? "Connection: close\r\n" : "") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           (method == "HEAD" ? "" : body);
}

} // namespace carrel::relay
