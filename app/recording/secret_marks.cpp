// SPDX-License-Identifier: Apache-2.0
#include "app/recording/secret_marks.h"

#include "guest/protocol/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace carrel::recording {

namespace {

constexpr std::size_t kMarkBytes = 4 + 2 + 32;
constexpr std::size_t kHeadBytes = 8 + 16;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint64_t byteAt(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]) + std::uint64_t{1};
}

std::uint16_t shortened(std::uint64_t hash) {
    return static_cast<std::uint16_t>(hash >> 48U);
}

std::uint64_t hashOf(std::string_view text, std::uint64_t base) {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        hash = hash * base + byteAt(text, i);
    }
    return hash;
}

std::array<std::uint8_t, 32> digestOf(const std::array<std::uint8_t, 16>& salt, std::string_view text) {
    std::array<std::uint8_t, 32> out{};
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    (void)EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
    (void)EVP_DigestUpdate(context, salt.data(), salt.size());
    (void)EVP_DigestUpdate(context, text.data(), text.size());
    (void)EVP_DigestFinal_ex(context, out.data(), nullptr);
    EVP_MD_CTX_free(context);
    return out;
}

// The characters of base64 that do not depend on what stands before and after, where `before` bytes stand before in their group.
std::string innerBase64(std::string_view text, std::size_t before) {
    std::string out;
    const std::size_t bits = (before + text.size()) * 8;
    const std::size_t first = (before * 8 + 5) / 6;
    for (std::size_t i = first; (i + 1) * 6 <= bits; ++i) {
        unsigned value = 0;
        for (std::size_t bit = i * 6; bit < (i + 1) * 6; ++bit) {
            const auto byte = static_cast<std::uint8_t>(text[bit / 8 - before]);
            value = (value << 1U) | ((byte >> (7 - bit % 8)) & 1U);
        }
        out += kAlphabet[value];
    }
    return out;
}

} // namespace

SecretMarks SecretMarks::withSalt(const std::array<std::uint8_t, 24>& random) {
    SecretMarks out;
    std::memcpy(&out.base, random.data(), sizeof out.base);
    out.base |= 1U;
    std::memcpy(out.salt.data(), random.data() + sizeof out.base, out.salt.size());
    return out;
}

bool SecretMarks::addOne(std::string_view text) {
    if (text.size() < kMinMark || text.size() > kMaxMark || marks.size() >= kMaxMarks) {
        return false;
    }
    marks.push_back({static_cast<std::uint32_t>(text.size()), shortened(hashOf(text, base)), digestOf(salt, text)});
    return true;
}

bool SecretMarks::add(std::string_view secret) {
    if (!addOne(secret)) {
        return false;
    }
    bool all = true;
    for (std::size_t before = 0; before < 3; ++before) {
        auto coded = innerBase64(secret, before);
        all = (coded.size() < kMinMark || coded.size() > kMaxMark || addOne(coded)) && all;
        OPENSSL_cleanse(coded.data(), coded.size());
    }
    return all;
}

std::string SecretMarks::encode() const {
    std::string out;
    const auto put = [&out](std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) {
            out += static_cast<char>(value >> (8 * i) & 0xffU);
        }
    };
    put(base, 8);
    out.append(reinterpret_cast<const char*>(salt.data()), salt.size());
    for (const auto& mark : marks) {
        put(mark.length, 4);
        put(mark.rolling, 2);
        out.append(reinterpret_cast<const char*>(mark.digest.data()), mark.digest.size());
    }
    return out;
}

Result<SecretMarks> SecretMarks::decode(std::string_view bytes) {
    if (bytes.size() < kHeadBytes || (bytes.size() - kHeadBytes) % kMarkBytes != 0 || (bytes.size() - kHeadBytes) / kMarkBytes > kMaxMarks) {
        return fail(ErrorCode::Malformed, "the list of what is to be masked has another length");
    }
    SecretMarks out;
    const auto span = asBytes(bytes);
    out.base = loadLe<std::uint64_t>(span);
    std::memcpy(out.salt.data(), bytes.data() + 8, out.salt.size());
    for (std::size_t at = kHeadBytes; at < bytes.size(); at += kMarkBytes) {
        SecretMark mark;
        mark.length = loadLe<std::uint32_t>(span, at);
        mark.rolling = loadLe<std::uint16_t>(span, at + 4);
        std::memcpy(mark.digest.data(), bytes.data() + at + 6, mark.digest.size());
        if (mark.length < kMinMark || mark.length > kMaxMark) {
            return fail(ErrorCode::Malformed, "what is to be masked is too short or too long");
        }
        out.marks.push_back(mark);
    }
    return out;
}

SecretMask::SecretMask(SecretMarks marks)
    : m_marks(std::move(marks)) {
    std::sort(m_marks.marks.begin(), m_marks.marks.end(), [](const auto& a, const auto& b) { return a.length < b.length; });
    for (const auto& mark : std::exchange(m_marks.marks, {})) {
        if (m_lengths.empty() || m_lengths.back().length != mark.length) {
            m_lengths.emplace_back().length = mark.length;
        }
        m_lengths.back().some[mark.rolling] = true;
        m_lengths.back().marks.push_back(mark);
    }
}

void SecretMask::searchFor(const OfLength& wanted, std::size_t from) {
    const auto length = wanted.length;
    if (m_held.size() < length) {
        return;
    }
    std::uint64_t out = 1; // base to the power of length - 1
    for (std::size_t i = 1; i < length; ++i) {
        out *= m_marks.base;
    }
    std::size_t at = from >= length ? from - length + 1 : 0; // the first place that reaches into what is new
    std::uint64_t hash = hashOf(std::string_view(m_held).substr(at, length), m_marks.base);
    for (;;) {
        if (wanted.some[shortened(hash)]) {
            const auto digest = digestOf(m_marks.salt, std::string_view(m_held).substr(at, length));
            if (std::any_of(wanted.marks.begin(), wanted.marks.end(), [&](const auto& mark) { return mark.digest == digest; })) {
                std::fill_n(m_masked.begin() + static_cast<std::ptrdiff_t>(at), length, true);
            }
        }
        if (at + length >= m_held.size()) {
            return;
        }
        hash = (hash - byteAt(m_held, at) * out) * m_marks.base + byteAt(m_held, at + length);
        ++at;
    }
}

std::vector<Piece> SecretMask::release(std::size_t bytes) {
    std::vector<Piece> out;
    std::size_t at = 0;
    while (at < bytes) {
        auto& [us, count] = m_times.front();
        const auto now = std::min(count, bytes - at);
        Piece piece{us, m_held.substr(at, now)};
        for (std::size_t i = 0; i < now; ++i) {
            if (m_masked[at + i]) {
                piece.bytes[i] = '*';
            }
        }
        out.push_back(std::move(piece));
        at += now;
        if (count -= now; count == 0) {
            m_times.pop_front();
        }
    }
    OPENSSL_cleanse(m_held.data(), bytes);
    m_held.erase(0, bytes);
    m_masked.erase(m_masked.begin(), m_masked.begin() + static_cast<std::ptrdiff_t>(bytes));
    return out;
}

std::vector<Piece> SecretMask::feed(std::uint64_t us, std::string_view bytes) {
    if (bytes.empty()) {
        return {};
    }
    const auto from = m_held.size();
    m_held += bytes;
    m_masked.resize(m_held.size(), false);
    m_times.emplace_back(us, bytes.size());
    for (const auto& each : m_lengths) {
        searchFor(each, from);
    }
    const auto held = m_lengths.empty() ? 0 : m_lengths.back().length - 1;
    return release(m_held.size() > held ? m_held.size() - held : 0);
}

std::vector<Piece> SecretMask::finish() {
    return release(m_held.size());
}

} // namespace carrel::recording
