// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/tls_hello.h"

#include <algorithm>
#include <array>
#include <set>

namespace carrel::clerk {

namespace {

constexpr std::size_t kRecordHead = 5;
constexpr std::size_t kHandshakeHead = 4;
constexpr unsigned kChangeCipherSpec = 20;
constexpr unsigned kHandshake = 22;
constexpr unsigned kClientHello = 1;
constexpr unsigned kServerHello = 2;

constexpr unsigned kServerName = 0;
constexpr unsigned kEncryptedServerName = 0xffce; // the forerunner, draft-ietf-tls-esni-02
constexpr unsigned kEncryptedClientHello = 0xfe0d;

// SHA-256 of "HelloRetryRequest": the random number of a ServerHello that is one.
constexpr std::array<std::uint8_t, 32> kRetryRandom{0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                                    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

unsigned byteAt(ByteSpan bytes, std::size_t at) {
    return std::to_integer<unsigned>(bytes[at]);
}

// Takes fields from the front; after the first that is not there, all are empty and `good` is false.
class Reader {
public:
    explicit Reader(ByteSpan bytes)
        : m_rest(bytes) {}

    unsigned number(std::size_t bytes) {
        unsigned value = 0;
        for (const auto byte : take(bytes)) {
            value = value << 8U | std::to_integer<unsigned>(byte);
        }
        return value;
    }
    ByteSpan take(std::size_t bytes) {
        if (bytes > m_rest.size()) {
            m_good = false;
            m_rest = {};
            return {};
        }
        const auto taken = m_rest.first(bytes);
        m_rest = m_rest.subspan(bytes);
        return taken;
    }
    // A field behind its own length.
    ByteSpan vector(std::size_t lengthBytes, std::size_t least, std::size_t most) {
        const std::size_t length = number(lengthBytes);
        m_good = m_good && length >= least && length <= most;
        return take(length);
    }
    [[nodiscard]] bool good() const { return m_good; }
    [[nodiscard]] bool atEnd() const { return m_good && m_rest.empty(); }
    [[nodiscard]] bool hasMore() const { return m_good && !m_rest.empty(); }

private:
    ByteSpan m_rest;
    bool m_good = true;
};

constexpr const char* kNoHello = "what was sent is no TLS ClientHello in good order";

bool isSameName(ByteSpan given, std::string_view host) {
    const auto text = asText(given);
    return std::equal(text.begin(), text.end(), host.begin(), host.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

// The reason why it is none that may pass; null: it may.
const char* judgeName(ByteSpan extension, std::string_view host) {
    Reader outer(extension);
    Reader list(outer.vector(2, 1, 0xffff));
    const unsigned kind = list.number(1);
    const auto name = list.vector(2, 1, 0xffff);
    if (!outer.atEnd() || !list.atEnd() || kind != 0) { // one name, of a host
        return kNoHello;
    }
    return isSameName(name, host) ? nullptr : "another host is named inside the TLS connection (SNI)";
}

const char* judgeExtensions(ByteSpan extensions, std::string_view host) {
    Reader all(extensions);
    std::set<unsigned> seen;
    bool named = false;
    while (all.hasMore()) {
        const unsigned type = all.number(2);
        const auto body = all.vector(2, 0, 0xffff);
        if (!all.good() || !seen.insert(type).second) {
            return kNoHello;
        }
        if (type == kEncryptedClientHello || type == kEncryptedServerName) {
            return "the TLS connection hides which host it is for (ECH)";
        }
        if (type == kServerName) {
            if (const char* why = judgeName(body, host)) {
                return why;
            }
            named = true;
        }
    }
    return named ? nullptr : "the TLS connection does not say which host it is for (SNI)";
}

const char* judgeHello(ByteSpan body, std::string_view host) {
    Reader hello(body);
    const unsigned version = hello.number(2);
    (void)hello.take(32);                                // random
    (void)hello.vector(1, 0, 32);                        // session
    const auto ciphers = hello.vector(2, 2, 0xfffe);     // two bytes each
    (void)hello.vector(1, 1, 0xff);                      // compression
    const auto extensions = hello.vector(2, 0, 0xffff);
    if (!hello.atEnd() || version < 0x0301 || version > 0x0303 || ciphers.size() % 2 != 0) {
        return kNoHello;
    }
    return judgeExtensions(extensions, host);
}

HelloLook bad(const char* why) {
    return {Look::Bad, 0, why};
}

} // namespace

HelloLook lookAtHello(ByteSpan bytes, std::string_view host) {
    Bytes message; // the records' content put together
    for (std::size_t at = 0;;) {
        const auto rest = bytes.subspan(at);
        // What is there of a record's head has to be right at once: whoever sends something else gets no wait for more.
        if ((!rest.empty() && byteAt(rest, 0) != kHandshake) || (rest.size() > 1 && byteAt(rest, 1) != 3) ||
            (rest.size() > 2 && byteAt(rest, 2) > 3)) {
            return bad(kNoHello);
        }
        if (rest.size() < kRecordHead) {
            break;
        }
        const std::size_t length = byteAt(rest, 3) << 8U | byteAt(rest, 4);
        if (length == 0 || at + kRecordHead + length > kMaxHello) {
            return bad(length == 0 ? kNoHello : "the TLS ClientHello is too long");
        }
        const auto content = rest.subspan(kRecordHead, std::min(length, rest.size() - kRecordHead));
        message.insert(message.end(), content.begin(), content.end());
        if (!message.empty() && byteAt(message, 0) != kClientHello) {
            return bad(kNoHello);
        }
        if (message.size() >= kHandshakeHead) {
            const std::size_t wanted = kHandshakeHead + (byteAt(message, 1) << 16U | byteAt(message, 2) << 8U | byteAt(message, 3));
            if (wanted > kMaxHello) {
                return bad("the TLS ClientHello is too long");
            }
            if (message.size() > wanted) { // nothing else in its last record
                return bad(kNoHello);
            }
            if (message.size() == wanted) {
                if (content.size() < length) {
                    return bad(kNoHello); // its record goes on, and the hello does not
                }
                const char* why = judgeHello(ByteSpan(message).subspan(kHandshakeHead), host);
                return why != nullptr ? bad(why) : HelloLook{Look::Good, at + kRecordHead + length, {}};
            }
        }
        if (content.size() < length) {
            break;
        }
        at += kRecordHead + length;
    }
    return bytes.size() >= kMaxHello ? bad("the TLS ClientHello is too long") : HelloLook{};
}

Look looksLikeRetry(ByteSpan bytes) {
    constexpr std::size_t kRandom = kRecordHead + kHandshakeHead + 2;
    if ((!bytes.empty() && byteAt(bytes, 0) != kHandshake) || (bytes.size() > kRecordHead && byteAt(bytes, kRecordHead) != kServerHello)) {
        return Look::Bad;
    }
    if (bytes.size() < kRandom + kRetryRandom.size()) {
        return Look::More;
    }
    const auto random = std::as_bytes(std::span(kRetryRandom));
    return std::equal(random.begin(), random.end(), bytes.begin() + kRandom) ? Look::Good : Look::Bad;
}

SpecRecord changeCipherSpec(ByteSpan bytes) {
    constexpr std::array<unsigned, 6> kRecord{kChangeCipherSpec, 3, 3, 0, 1, 1};
    const std::size_t common = std::min(bytes.size(), kRecord.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (byteAt(bytes, i) != kRecord[i]) {
            return {};
        }
    }
    return common < kRecord.size() ? SpecRecord{Look::More, 0} : SpecRecord{Look::Good, kRecord.size()};
}

} // namespace carrel::clerk
