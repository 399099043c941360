// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/http_requests.h"

#include <algorithm>
#include <optional>

namespace carrel::clerk {

namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::string_view kSwitching = "HTTP/1.1 101";
constexpr std::size_t kMaxFields = 200;
constexpr std::size_t kMaxMethod = 32;
constexpr std::size_t kMaxLengthDigits = 15;
constexpr std::size_t kMaxChunkDigits = 12;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isSame(std::string_view text, std::string_view lowerCase) {
    return std::equal(text.begin(), text.end(), lowerCase.begin(), lowerCase.end(), [](char a, char b) { return lower(a) == b; });
}

// tchar of RFC 9110, section 5.6.2.
bool isToken(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || kMarks.find(c) != std::string_view::npos;
    });
}

bool isTarget(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

bool isValue(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint64_t> numberFrom(std::string_view text, unsigned base, std::size_t most) {
    if (text.empty() || text.size() > most) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char each : text) {
        const char c = lower(each);
        const unsigned digit = c >= '0' && c <= '9' ? static_cast<unsigned>(c - '0') : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10 : 99;
        if (digit >= base) {
            return std::nullopt;
        }
        value = value * base + digit;
    }
    return value;
}

// A line break is CR LF and nothing else.
bool hasOnlyWholeBreaks(std::string_view text) {
    for (std::size_t at = 0; (at = text.find_first_of("\r\n", at)) != std::string_view::npos; at += 2) {
        if (text.substr(at, 2) != "\r\n") {
            return false;
        }
    }
    return true;
}

bool isAuthority(std::string_view given, std::string_view host, std::uint16_t port) {
    const bool isV6 = host.find(':') != std::string_view::npos;
    const std::string written = isV6 ? "[" + std::string(host) + "]" : std::string(host);
    return isSame(given, written + ":" + std::to_string(port)) || (port == 80 && isSame(given, written));
}

constexpr const char* kNoRequest = "what was sent is no HTTP request in good order";
constexpr const char* kOtherHost = "the HTTP request is for another host than the connection";
constexpr const char* kTwoMeanings = "the HTTP request does not have one meaning only: it tells its length in a way that is read differently";

struct Fields {
    std::optional<std::string_view> host;
    std::optional<std::string_view> length;
    std::optional<std::string_view> coding;
    std::optional<std::string_view> upgrade;
    bool upgradesTwice = false;
};

// The reason why not; null: all is well.
const char* readField(std::string_view line, Fields& fields) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !isToken(line.substr(0, colon)) || !isValue(line.substr(colon + 1))) {
        return kNoRequest; // obs-fold among them: its line begins with a blank
    }
    const auto name = line.substr(0, colon);
    const auto value = trimmed(line.substr(colon + 1));
    const auto once = [&](std::optional<std::string_view>& field, const char* why) {
        const bool again = field.has_value();
        field = value;
        return again ? why : nullptr;
    };
    if (isSame(name, "host")) {
        return once(fields.host, kOtherHost);
    }
    if (isSame(name, "content-length")) {
        return once(fields.length, kTwoMeanings);
    }
    if (isSame(name, "transfer-encoding")) {
        return once(fields.coding, kTwoMeanings);
    }
    if (isSame(name, "upgrade")) {
        fields.upgradesTwice = fields.upgrade.has_value();
        fields.upgrade = value;
    }
    return nullptr;
}

const char* readRequestLine(std::string_view line, std::string_view host, std::uint16_t port, RequestHead& head) {
    const auto first = line.find(' ');
    const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
        return kNoRequest;
    }
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, second - first - 1);
    const auto version = line.substr(second + 1);
    if (!isToken(method) || method.size() > kMaxMethod || !isTarget(target) || method == "CONNECT" || method == "PRI" ||
        (version != "HTTP/1.1" && version != "HTTP/1.0")) {
        return kNoRequest;
    }
    head.isHttp11 = version == "HTTP/1.1";
    head.isGet = method == "GET";
    if (target.front() == '/' || (target == "*" && method == "OPTIONS")) {
        return nullptr;
    }
    // In its absolute form it goes before Host (RFC 9112, section 3.2.2).
    constexpr std::string_view kScheme = "http://";
    if (!isSame(target.substr(0, kScheme.size()), kScheme)) {
        return kNoRequest;
    }
    const auto rest = target.substr(kScheme.size());
    return isAuthority(rest.substr(0, rest.find('/')), host, port) ? nullptr : kOtherHost;
}

const char* readLengths(const Fields& fields, RequestHead& head) {
    if (fields.coding) {
        head.isChunked = true;
        return !fields.length && head.isHttp11 && isSame(*fields.coding, "chunked") ? nullptr : kTwoMeanings;
    }
    if (fields.length) {
        const auto length = numberFrom(*fields.length, 10, kMaxLengthDigits);
        head.length = length.value_or(0);
        return length ? nullptr : kTwoMeanings;
    }
    return nullptr;
}

const char* readHead(std::string_view text, std::string_view host, std::uint16_t port, RequestHead& head) {
    if (!text.ends_with(kEnd) || !hasOnlyWholeBreaks(text)) {
        return kNoRequest;
    }
    text.remove_suffix(2); // now each line ends with its break
    Fields fields;
    for (std::size_t count = 0; !text.empty(); ++count) {
        const auto end = text.find("\r\n");
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 2);
        if (count > kMaxFields) {
            return kNoRequest;
        }
        if (const char* why = count == 0 ? readRequestLine(line, host, port, head) : readField(line, fields)) {
            return why;
        }
    }
    if (!fields.host) {
        return "the HTTP request does not say which host it is for";
    }
    if (!isAuthority(*fields.host, host, port)) {
        return kOtherHost;
    }
    head.isUpgrade = fields.upgrade.has_value();
    head.isWebSocket = head.isUpgrade && !fields.upgradesTwice && isSame(*fields.upgrade, "websocket") && head.isGet && head.isHttp11;
    return readLengths(fields, head);
}

} // namespace

HeadLook lookAtRequest(std::string_view text, std::string_view host, std::uint16_t port) {
    HeadLook out;
    const char* why = readHead(text, host, port, out.head);
    out.good = why == nullptr;
    out.why = out.good ? "" : why;
    return out;
}

HttpRequests::HttpRequests(std::string host, std::uint16_t port)
    : m_host(std::move(host))
    , m_port(port) {}

NetGate::Verdict HttpRequests::refuse(std::string why) {
    m_refused = std::move(why);
    return {0, false, m_refused};
}

NetGate::Verdict HttpRequests::look(ByteSpan bytes) {
    std::size_t passed = 0;
    for (;;) {
        if (!m_refused.empty()) {
            // What passed before it was well; the next look refuses.
            return passed > 0 ? Verdict{passed, true, {}} : Verdict{0, false, m_refused};
        }
        const auto verdict = step(bytes.subspan(passed));
        if (verdict.good && verdict.pass == 0) {
            return {passed, true, {}};
        }
        passed += verdict.pass;
    }
}

NetGate::Verdict HttpRequests::step(ByteSpan bytes) {
    if (bytes.empty()) {
        return {};
    }
    switch (m_state) {
    case State::Head:
        return takeHead(bytes);
    case State::Length:
        return takeData(bytes, State::Head);
    case State::ChunkData:
        return takeData(bytes, State::ChunkEnd);
    case State::ChunkLine:
        return takeChunkLine(bytes);
    case State::ChunkEnd:
        if (asText(bytes.first(std::min<std::size_t>(bytes.size(), 2))) != std::string_view("\r\n").substr(0, bytes.size())) {
            return refuse(kNoRequest);
        }
        if (bytes.size() < 2) {
            return {};
        }
        m_state = State::ChunkLine;
        return {2, true, {}};
    case State::Trailers:
        return takeTrailers(bytes);
    case State::Held:
        return {};
    case State::Raw:
        break;
    }
    return {bytes.size(), true, {}};
}

NetGate::Verdict HttpRequests::takeHead(ByteSpan bytes) {
    const auto text = asText(bytes.first(std::min(bytes.size(), kMaxRequestHead)));
    const auto end = text.find(kEnd);
    if (end == std::string_view::npos) {
        // Nothing that could still become a request; so that nobody waits for what will not come.
        const auto line = text.substr(0, text.find_first_of(" \r\n"));
        const auto whole = text.substr(0, text.size() - (text.ends_with('\r') ? 1 : 0)); // its other half may be on its way
        const bool couldBe = isToken(line) && line.size() <= kMaxMethod && hasOnlyWholeBreaks(whole);
        return couldBe && text.size() < kMaxRequestHead ? Verdict{} : refuse(couldBe ? "the head of the HTTP request is too long" : kNoRequest);
    }
    const std::size_t size = end + kEnd.size();
    const auto look = lookAtRequest(text.substr(0, size), m_host, m_port);
    if (!look.good) {
        return refuse(look.why);
    }
    if (look.head.isUpgrade && (m_requests > 0 || look.head.isChunked || look.head.length > 0)) {
        return refuse("an HTTP connection can be upgraded by its first request only, and by one without a body");
    }
    ++m_requests;
    m_left = look.head.length;
    m_state = look.head.isWebSocket ? State::Held : look.head.isChunked ? State::ChunkLine : m_left > 0 ? State::Length : State::Head;
    return {size, true, {}};
}

NetGate::Verdict HttpRequests::takeData(ByteSpan bytes, State next) {
    const auto pass = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), m_left));
    m_left -= pass;
    if (m_left == 0) {
        m_state = next;
    }
    return {pass, true, {}};
}

NetGate::Verdict HttpRequests::takeChunkLine(ByteSpan bytes) {
    const auto text = asText(bytes.first(std::min(bytes.size(), kMaxChunkLine)));
    const auto end = text.find_first_of("\r\n");
    if (end == std::string_view::npos || end + 1 == text.size()) {
        return text.size() < kMaxChunkLine && (end == std::string_view::npos || text[end] == '\r') ? Verdict{} : refuse(kNoRequest);
    }
    const auto line = text.substr(0, end);
    const auto size = numberFrom(line.substr(0, line.find(';')), 16, kMaxChunkDigits);
    if (text.substr(end, 2) != "\r\n" || !size || !isValue(line)) {
        return refuse(kNoRequest);
    }
    m_left = *size;
    m_state = m_left > 0 ? State::ChunkData : State::Trailers;
    return {end + 2, true, {}};
}

NetGate::Verdict HttpRequests::takeTrailers(ByteSpan bytes) {
    const auto text = asText(bytes.first(std::min(bytes.size(), kMaxTrailers)));
    const bool none = text.starts_with("\r\n");
    const auto end = none ? 0 : text.find(kEnd);
    if (end == std::string_view::npos) {
        return text.size() < kMaxTrailers ? Verdict{} : refuse(kNoRequest);
    }
    const std::size_t size = none ? 2 : end + kEnd.size();
    auto lines = none ? std::string_view() : text.substr(0, end + 2);
    if (!hasOnlyWholeBreaks(lines)) {
        return refuse(kNoRequest);
    }
    while (!lines.empty()) {
        Fields fields;
        const auto lineEnd = lines.find("\r\n");
        // Nothing that tells where a request goes or ends belongs here.
        if (readField(lines.substr(0, lineEnd), fields) != nullptr || fields.host || fields.length || fields.coding) {
            return refuse(kNoRequest);
        }
        lines.remove_prefix(lineEnd + 2);
    }
    m_state = State::Head;
    return {size, true, {}};
}

void HttpRequests::serverSaid(ByteSpan bytes) {
    if (m_state != State::Held) {
        return;
    }
    m_server += asText(bytes.first(std::min(bytes.size(), kSwitching.size() - m_server.size())));
    const auto common = std::string_view(m_server);
    if (common != kSwitching.substr(0, common.size())) {
        m_state = State::Head; // as any other request
    } else if (common.size() == kSwitching.size()) {
        m_state = State::Raw;
    }
}

} // namespace carrel::clerk
