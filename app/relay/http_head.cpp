// SPDX-License-Identifier: Apache-2.0
#include "app/relay/http_head.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxLengthDigits = 18; // of a 64-bit number, so that none overflows
constexpr const char* kBadOrder = "what was sent is no HTTP message in good order";
constexpr const char* kTwoLengths = "the HTTP message tells its length in a way that can be read differently";

struct Lines {
    std::string_view first;
    Fields fields;
};

HttpResult<Lines> linesOf(std::string_view head) {
    Lines lines;
    for (std::size_t count = 0;; ++count) {
        const auto end = head.find("\r\n");
        if (end == std::string_view::npos || count > kMaxFields) {
            return end == std::string_view::npos ? httpFault(400, kBadOrder) : httpFault(431, "the HTTP message has too many header fields");
        }
        const auto line = head.substr(0, end);
        head.remove_prefix(end + 2);
        if (line.empty()) {
            return head.empty() && count > 0 ? HttpResult<Lines>(std::move(lines)) : httpFault(400, kBadOrder);
        }
        if (!isFieldValue(line)) {
            return httpFault(400, kBadOrder); // a lone CR or LF among them
        }
        if (count == 0) {
            lines.first = line;
            continue;
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) {
            return httpFault(400, kBadOrder); // obs-fold among them: its line begins with a blank
        }
        lines.fields.push_back({std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
    }
}

// The only field of that name; its value is empty where there is none. A fault: several.
HttpResult<std::optional<std::string>> onlyOne(const Fields& fields, std::string_view name, const char* why) {
    std::optional<std::string> found;
    for (const auto& field : fields) {
        if (isField(field, name)) {
            if (found) {
                return httpFault(400, why);
            }
            found = field.value;
        }
    }
    return found;
}

struct Lengths {
    bool isChunked = false;
    std::optional<std::uint64_t> length;
};
HttpResult<Lengths> lengthsOf(const Fields& fields, Version version) {
    const auto coding = onlyOne(fields, "transfer-encoding", kTwoLengths);
    const auto length = onlyOne(fields, "content-length", kTwoLengths);
    if (!coding || !length) {
        return httpFault(400, kTwoLengths);
    }
    Lengths out;
    if (*coding) {
        if (*length || version != Version::Http11) {
            return httpFault(400, kTwoLengths);
        }
        if (!isSameWord(**coding, "chunked")) {
            return httpFault(501, "the HTTP message has another transfer coding than chunked");
        }
        out.isChunked = true;
    }
    if (*length) {
        out.length = numberFrom(**length, 10, kMaxLengthDigits);
        if (!out.length) {
            return httpFault(400, kTwoLengths);
        }
    }
    return out;
}

// What is said to the next one on the way only (RFC 9110, section 7.6.1), and what is written anew.
struct ConnectionWords {
    bool close = false;
    bool keepAlive = false;
    bool upgrade = false;
};
HttpResult<ConnectionWords> takeConnectionFields(Fields& fields) {
    // Naming these as of the connection would take from a message what it means.
    static constexpr std::string_view kNotOfIt[] = {"host",   "content-length", "content-type",  "content-encoding", "authorization",
                                                    "cookie", "set-cookie",     "cache-control", "location"};
    ConnectionWords words;
    std::vector<std::string> named;
    bool good = true;
    for (const auto& field : fields) {
        if (isField(field, "connection")) {
            eachOfList(field.value, [&](std::string_view option) {
                words.close = words.close || isSameWord(option, "close");
                words.keepAlive = words.keepAlive || isSameWord(option, "keep-alive");
                words.upgrade = words.upgrade || isSameWord(option, "upgrade");
                good = good && isToken(option) &&
                       std::none_of(std::begin(kNotOfIt), std::end(kNotOfIt), [&](auto name) { return isSameWord(option, name); });
                named.emplace_back(option);
            });
        }
    }
    if (!good) {
        return httpFault(400, "the HTTP message names a header field as one of the connection that is none");
    }
    for (const auto& name : named) {
        removeFields(fields, name);
    }
    for (const auto* name : {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te", "trailer",
                             "transfer-encoding", "http2-settings"}) {
        removeFields(fields, name);
    }
    return words;
}

bool keepsAlive(Version version, const ConnectionWords& words) {
    return !words.close && (version == Version::Http11 || words.keepAlive);
}

// Upgrade is looked at before Connection's fields are taken away.
bool namesWebSocketOnly(const Fields& fields) {
    std::size_t count = 0;
    bool only = true;
    for (const auto& field : fields) {
        if (isField(field, "upgrade")) {
            ++count;
            only = only && isSameWord(field.value, "websocket");
        }
    }
    return count == 1 && only;
}

std::optional<Version> versionFrom(std::string_view text) {
    if (text == "HTTP/1.1") {
        return Version::Http11;
    }
    return text == "HTTP/1.0" ? std::optional(Version::Http10) : std::nullopt;
}

HttpResult<RequestHead> readRequestLine(std::string_view line, const Origin& origin) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        return httpFault(400, kBadOrder); // HTTP/0.9 among them
    }
    RequestHead head;
    head.method = line.substr(0, first);
    const auto version = versionFrom(line.substr(last + 1));
    if (!isToken(head.method) || head.method.size() > kMaxMethod) {
        return httpFault(400, kBadOrder);
    }
    if (!version) {
        return httpFault(505, "the request is of another version of HTTP than 1.0 and 1.1");
    }
    if (head.method == "CONNECT") {
        return httpFault(405, "the request wants a tunnel, as from a proxy; where requests are read, no host is one");
    }
    if (head.method == "PRI") {
        return httpFault(405, "the request wants another protocol");
    }
    auto target = readTarget(line.substr(first + 1, last - first - 1), head.method, origin);
    if (!target) {
        return tl::unexpected(target.error());
    }
    head.version = *version;
    head.target = std::move(*target);
    return head;
}

} // namespace

bool isField(const Field& field, std::string_view name) {
    return isSameWord(field.name, name);
}

void removeFields(Fields& fields, std::string_view name) {
    std::erase_if(fields, [&](const Field& field) { return isField(field, name); });
}

HttpResult<RequestHead> readRequest(std::string_view text, const Origin& origin) {
    auto lines = linesOf(text);
    if (!lines) {
        return tl::unexpected(lines.error());
    }
    auto head = readRequestLine(lines->first, origin);
    if (!head) {
        return head;
    }
    head->fields = std::move(lines->fields);
    const auto host = onlyOne(head->fields, "host", "the request names several hosts");
    if (!host) {
        return tl::unexpected(host.error());
    }
    if (!*host) {
        return httpFault(400, "the request does not say which host it is for");
    }
    if (!origin.isNamedBy(**host)) {
        return httpFault(421, "the request is for another host than the connection");
    }
    const auto lengths = lengthsOf(head->fields, head->version);
    if (!lengths) {
        return tl::unexpected(lengths.error());
    }
    head->body = lengths->isChunked ? BodyEnd{BodyEnd::Kind::Chunked, 0}
                 : lengths->length  ? BodyEnd{BodyEnd::Kind::Length, *lengths->length}
                                    : BodyEnd{};
    const auto expect = onlyOne(head->fields, "expect", "the request expects several things");
    if (!expect || (*expect && !isSameWord(**expect, "100-continue"))) {
        return httpFault(417, "the request expects something else than 100-continue");
    }
    head->expectsContinue = expect->has_value() && head->version == Version::Http11 && head->body.kind != BodyEnd::Kind::None;
    const bool webSocket = namesWebSocketOnly(head->fields);
    const auto words = takeConnectionFields(head->fields);
    if (!words) {
        return tl::unexpected(words.error());
    }
    head->keepsAlive = keepsAlive(head->version, *words);
    head->wantsWebSocket = webSocket && words->upgrade && head->version == Version::Http11 && head->method == "GET" &&
                           (head->body.kind == BodyEnd::Kind::None || head->body.length == 0) && head->body.kind != BodyEnd::Kind::Chunked;
    for (const auto* name : {"host", "upgrade", "expect"}) {
        removeFields(head->fields, name);
    }
    return head;
}

HttpResult<ResponseHead> readResponse(std::string_view text, std::string_view method) {
    auto lines = linesOf(text);
    if (!lines) {
        return tl::unexpected(lines.error());
    }
    // "HTTP/1.1 200 reason", and the last blank may be missing where no reason is.
    const auto line = lines->first;
    const auto version = versionFrom(line.substr(0, 8));
    const auto status = line.size() >= 12 && line[8] == ' ' ? numberFrom(line.substr(9, 3), 10, 3) : std::nullopt;
    if (!version || !status || *status < 100 || *status > 599 || (line.size() > 12 && line[12] != ' ')) {
        return httpFault(502, kBadOrder);
    }
    ResponseHead head;
    head.version = *version;
    head.status = static_cast<int>(*status);
    head.reason = line.size() > 13 ? trimmed(line.substr(13)) : std::string_view();
    head.fields = std::move(lines->fields);
    const auto lengths = lengthsOf(head.fields, head.version);
    if (!lengths) {
        return tl::unexpected(lengths.error());
    }
    const bool webSocket = namesWebSocketOnly(head.fields);
    const auto words = takeConnectionFields(head.fields);
    if (!words) {
        return tl::unexpected(words.error());
    }
    head.keepsAlive = keepsAlive(head.version, *words);
    head.isWebSocket = head.status == 101 && webSocket && words->upgrade;
    removeFields(head.fields, "upgrade");
    if (method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) {
        // It has none, whatever its fields say (RFC 9112, section 6.3); where they promise one, nobody can say what comes next.
        if ((head.status == 204 || head.status < 200) && (lengths->isChunked || lengths->length.value_or(0) > 0)) {
            head.keepsAlive = false;
        }
        if (head.status == 204 || head.status < 200) {
            removeFields(head.fields, "content-length");
        }
        return head;
    }
    head.body = lengths->isChunked ? BodyEnd{BodyEnd::Kind::Chunked, 0}
                : lengths->length  ? BodyEnd{BodyEnd::Kind::Length, *lengths->length}
                                   : BodyEnd{BodyEnd::Kind::Connection, 0};
    return head;
}

void HeadSeeker::restart() {
    m_seen = 0;
    m_lineBegin = 0;
    m_isFirstLine = true;
}

bool HeadSeeker::isFirstLineGood(std::string_view line) const {
    constexpr std::string_view kVersion = "HTTP/1.";
    if (m_kind == Kind::Response) {
        return line.starts_with(kVersion);
    }
    // " HTTP/1.x" at its end; else nothing that follows can make a request of it.
    constexpr std::size_t kTail = kVersion.size() + 2;
    return line.size() > kTail && line[line.size() - kTail] == ' ' && line.substr(line.size() - kTail + 1, kVersion.size()) == kVersion;
}

HttpResult<std::size_t> HeadSeeker::look(std::string_view all) {
    const auto most = std::min(all.size(), kMaxHead);
    for (; m_seen < most; ++m_seen) {
        const char c = all[m_seen];
        const char before = m_seen > 0 ? all[m_seen - 1] : '\0';
        if ((c == '\n') != (before == '\r')) {
            return httpFault(400, kBadOrder); // a line break is CR LF and nothing else
        }
        if (c != '\n') {
            if (c != '\r' && !isFieldValue({&c, 1})) {
                return httpFault(400, kBadOrder);
            }
            continue;
        }
        const auto line = all.substr(m_lineBegin, m_seen - 1 - m_lineBegin);
        if (m_isFirstLine && !isFirstLineGood(line)) {
            return httpFault(m_kind == Kind::Request ? 505 : 502, "what was sent is not HTTP/1.0 or HTTP/1.1");
        }
        m_isFirstLine = false;
        m_lineBegin = m_seen + 1;
        if (line.empty()) {
            return m_seen + 1;
        }
    }
    return all.size() < kMaxHead ? HttpResult<std::size_t>(0) : httpFault(431, "the head of the HTTP message is longer than 64 KiB");
}

} // namespace carrel::relay
