// SPDX-License-Identifier: Apache-2.0
#include "app/relay/forward_guard.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <array>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxShown = 2000; // of an address; a longer one is followed by nobody
constexpr const char* kElsewhere = "elsewhere";

std::vector<std::string_view> valuesOf(const Fields& fields, std::string_view name) {
    std::vector<std::string_view> out;
    for (const auto& field : fields) {
        if (isField(field, name)) {
            out.emplace_back(field.value);
        }
    }
    return out;
}

bool is(const std::vector<std::string_view>& values, std::string_view word) {
    return !values.empty() && std::all_of(values.begin(), values.end(), [&](auto value) { return isSameWord(value, word); });
}

// What a server says that is not for its own pages, or says in the place of what is said here. For each, why.
constexpr std::array<std::string_view, 26> kDropped{
    // To whom the browser would report, whatever the policy: a way out.
    "report-to", "reporting-endpoints", "nel", "expect-ct", "content-security-policy-report-only", "cross-origin-opener-policy-report-only",
    "cross-origin-embedder-policy-report-only", "document-policy-report-only", "permissions-policy-report-only",
    // Connections and look-ups ahead of a navigation, which no policy holds. A page can do the same, but need not be helped.
    "link", "speculation-rules", "x-dns-prefetch-control",
    // Sends what is for this origin to another place.
    "alt-svc",
    // Reach beyond the origin, or stay in the browser when the forward has gone: of all names below localhost, or of paths that a script
    // does not lie in.
    "strict-transport-security", "clear-site-data", "service-worker-allowed", "public-key-pins",
    // Lets other origins read.
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
    "access-control-expose-headers",
    // Said below. Twice, a browser takes none of the two, or the server's.
    "cross-origin-opener-policy", "cross-origin-resource-policy", "referrer-policy", "x-content-type-options"};
static_assert(!kDropped.back().empty());

bool isDropped(const Field& field) {
    return std::any_of(kDropped.begin(), kDropped.end(), [&](auto name) { return isField(field, name); });
}

// Those of a list with `separator` for which `keep` is so.
template <class Keep> std::string kept(std::string_view text, char separator, Keep keep) {
    std::string out;
    for (bool more = true; more;) {
        const auto end = text.find(separator);
        const auto piece = trimmed(text.substr(0, end));
        if (!piece.empty() && keep(piece)) {
            out += (out.empty() ? "" : std::string{separator, ' '}) + std::string(piece);
        }
        more = end != std::string_view::npos;
        text.remove_prefix(more ? end + 1 : text.size());
    }
    return out;
}

// Of the server's own policy all counts but to whom it is reported.
std::string withoutReports(std::string_view policies) {
    std::string out;
    eachOfList(policies, [&](std::string_view policy) {
        const auto rest = kept(policy, ';', [](std::string_view directive) {
            const auto name = directive.substr(0, directive.find_first_of(" \t"));
            return !isSameWord(name, "report-uri") && !isSameWord(name, "report-to");
        });
        out += (out.empty() || rest.empty() ? "" : ", ") + rest;
    });
    return out;
}

// The cookie is this host's alone: a forward's name is nobody else's, and other names below localhost are not the agent's.
std::string withoutDomain(std::string_view cookie) {
    bool first = true; // the name and value, whatever they look like
    return kept(cookie, ';', [&](std::string_view attribute) {
        return std::exchange(first, false) || !isSameWord(trimmed(attribute.substr(0, attribute.find('='))), "domain");
    });
}

// "5" loads the page again; "5; url=…" leads away, and browsers read what follows the number in many ways.
bool isOnlyANumber(std::string_view refresh) {
    return numberFrom(refresh, 10, 9).has_value();
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
        }
    }
    return out;
}

// Whom an address names, where it is one that is read in one way alone; what could be read otherwise is not offered to be followed.
std::string_view hostIn(std::string_view address) {
    const auto colon = address.find("://");
    const auto scheme = address.substr(0, colon);
    const bool plain = std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c < 0x7f && c != '\\'; });
    if (!plain || colon == std::string_view::npos || address.size() > kMaxShown || !(isSameWord(scheme, "http") || isSameWord(scheme, "https"))) {
        return {};
    }
    address.remove_prefix(colon + 3);
    const auto authority = address.substr(0, address.find_first_of("/?#"));
    const bool good = std::all_of(authority.begin(), authority.end(), [](char c) {
        return (lowerOf(c) >= 'a' && lowerOf(c) <= 'z') || (c >= '0' && c <= '9') || std::string_view("-._:[]").find(c) != std::string_view::npos;
    });
    return good ? authority : std::string_view();
}

std::string elsewherePage(std::string_view given) {
    const std::string address = given.starts_with("//") ? "http:" + std::string(given) : std::string(given);
    const auto host = hostIn(address);
    std::string out = "<!doctype html><meta charset=\"utf-8\"><title>Carrel: this leads elsewhere</title>\n"
                      "<h1>This leads away from the agent's server</h1>\n<p>The agent's server wants your browser to go ";
    out += host.empty() ? "somewhere else" : "to <b>" + escaped(host) + "</b>";
    out += ". What stands in the address is the agent's choice, and whoever is there will read it: it can carry away anything that the agent has "
           "seen. So Carrel did not follow it.</p>\n<p><code>" +
           escaped(plainText(given, kMaxShown)) + (given.size() > kMaxShown ? " …" : "") + "</code></p>\n";
    return host.empty() ? out : out + "<p><a rel=\"noreferrer noopener\" href=\"" + escaped(address) + "\">Go there all the same</a></p>\n";
}

} // namespace

Lead leadOf(std::string_view location, const Origin& origin, std::uint16_t port) {
    // Browsers take tabs out, and a backslash for a slash (WHATWG URL); nobody needs them.
    const bool plain = std::all_of(location.begin(), location.end(), [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f && c != '\\'; });
    if (!plain) {
        return {};
    }
    constexpr std::string_view kHttp = "http://";
    if (!isSameWord(location.substr(0, kHttp.size()), kHttp)) {
        const auto path = location.substr(0, location.find_first_of("/?#"));
        const bool relative = location.starts_with('/') ? !location.starts_with("//") : path.find(':') == std::string_view::npos;
        return {relative ? Lead::Where::Own : Lead::Where::Elsewhere};
    }
    const auto rest = location.substr(kHttp.size());
    const auto end = std::min(rest.find_first_of("/?#"), rest.size());
    if (origin.isNamedBy(rest.substr(0, end))) {
        return {Lead::Where::Own};
    }
    // As the server knows itself. In the browser it would be another server, of this computer.
    for (const auto* name : {"localhost", "127.0.0.1", "[::1]", "0.0.0.0"}) {
        if (isSameWord(rest.substr(0, end), std::string(name) + ":" + std::to_string(port)) || (port == 80 && isSameWord(rest.substr(0, end), name))) {
            return {Lead::Where::Own, std::string(kHttp) + origin.text() + std::string(rest.substr(end))};
        }
    }
    return {};
}

ForwardGuard::ForwardGuard(Origin origin, std::uint16_t port)
    : m_origin(std::move(origin))
    , m_port(port)
    // Frames of its own it may have, as some programs do, and none of others. 'self' is a WebSocket's origin, too, by the standard, and
    // not in every browser. "webrtc" is in the standard, and in hardly any browser yet; the others say so in their console, and go on. What "sandbox" does
    // not name is not allowed: windows that open unseen, files that fall into the user's folder for downloads (what an agent makes comes to
    // this computer by a review), and addresses that start other programs. It costs browsers' own display of PDF.
    , m_policy("default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws://" + m_origin.text() +
               " data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; webrtc 'block'; "
               "sandbox allow-scripts allow-same-origin allow-forms allow-modals allow-pointer-lock allow-orientation-lock") {}

std::optional<Refusal> ForwardGuard::request(RequestHead& head) const {
    const auto no = [](const char* why) { return Refusal{403, "denied", why}; };
    const auto site = valuesOf(head.fields, "sec-fetch-site");
    const auto dest = valuesOf(head.fields, "sec-fetch-dest");
    // What such a worker answers has no head that passes here, so that no policy would hold its pages (Service Workers, "Service-Worker").
    if (!valuesOf(head.fields, "service-worker").empty() || is(dest, "serviceworker")) {
        return no("A service worker would answer in the place of the agent's server, and is not let in");
    }
    const bool reads = head.method == "GET" || head.method == "HEAD";
    const bool ownSite = is(site, "same-origin") || is(site, "none"); // "none": the user's own doing
    const bool link = reads && !head.wantsWebSocket && is(valuesOf(head.fields, "sec-fetch-mode"), "navigate") && is(dest, "document");
    if (!site.empty() && !ownSite && !link) {
        return no("It is another site's page that asks for this");
    }
    for (const auto origin : valuesOf(head.fields, "origin")) { // of any request that a browser sends with it
        // Where a page tells nobody where it is, not even its own server is told.
        const bool unsaid = origin == "null" && is(site, "same-origin");
        if (!unsaid && !isSameWord(origin, "http://" + m_origin.text())) {
            return no("It is another site's page that asks for this");
        }
    }
    return std::nullopt;
}

std::optional<Refusal> ForwardGuard::response(ResponseHead& head, const RequestHead& /*to*/) const {
    if (head.status >= 300 && head.status < 400 && head.status != 304) {
        for (auto& field : head.fields) {
            if (!isField(field, "location")) {
                continue;
            }
            auto lead = leadOf(field.value, m_origin, m_port);
            if (lead.where == Lead::Where::Elsewhere) {
                return Refusal{403, kElsewhere, field.value};
            }
            if (lead.instead) {
                field.value = std::move(*lead.instead);
            }
        }
    }
    std::erase_if(head.fields, [](const Field& field) { return isDropped(field) || (isField(field, "refresh") && !isOnlyANumber(field.value)); });
    for (auto& field : head.fields) {
        if (isField(field, "content-security-policy")) {
            field.value = withoutReports(field.value);
        } else if (isField(field, "set-cookie")) {
            field.value = withoutDomain(field.value);
        }
    }
    addPolicies(head.fields);
    return std::nullopt;
}

void ForwardGuard::addPolicies(Fields& fields) const {
    fields.push_back({"Content-Security-Policy", m_policy}); // beside the server's own: all of them count
    // To other origins none; to its own as ever, for many servers check where a form comes from. "no-referrer" would take the Origin
    // field from those as well (Fetch, "append a request Origin header").
    fields.push_back({"Referrer-Policy", "same-origin"});
    fields.push_back({"X-Content-Type-Options", "nosniff"});
    fields.push_back({"X-DNS-Prefetch-Control", "off"});
    fields.push_back({"Cross-Origin-Opener-Policy", "same-origin"});
    fields.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
    // A name below localhost counts as secure, so that a page could ask for these. The last one of a field counts.
    fields.push_back({"Permissions-Policy", "bluetooth=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), hid=(), "
                                            "local-fonts=(), microphone=(), midi=(), serial=(), usb=()"});
}

std::string ForwardGuard::page(const Refusal& refusal, std::string_view method, After after) const {
    const bool elsewhere = refusal.outcome == kElsewhere;
    const std::string outcome = isToken(refusal.outcome) ? refusal.outcome : "denied";
    std::string text = plainText(refusal.text, kMaxRefusalText);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    const std::string body = elsewhere ? elsewherePage(refusal.text) : "Carrel: " + text + ".\noutcome: " + outcome + "\n";
    return "HTTP/1.1 " + std::to_string(refusal.status) + " " + std::string(reasonOf(refusal.status)) + "\r\nContent-Type: text/" +
           (elsewhere ? "html" : "plain") + "; charset=utf-8\r\nCache-Control: no-store\r\nX-Carrel-Outcome: " + outcome +
           "\r\nContent-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
           "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nCross-Origin-Opener-Policy: same-origin\r\n"
           "Cross-Origin-Resource-Policy: same-origin\r\n" +
           (after == After::Close ? "Connection: close\r\n" : "") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           (method == "HEAD" ? "" : body);
}

} // namespace carrel::relay
