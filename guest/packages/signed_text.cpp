// SPDX-License-Identifier: Apache-2.0
#include "guest/packages/signed_text.h"

#include "guest/worktree/sha256.h"

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace carrel::packages {

namespace {

using boost::multiprecision::cpp_int;

constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxSignatureBytes = 64 * 1024; // of all of them, decoded
constexpr unsigned kSignatureTag = 2, kKeyTag = 6, kSubkeyTag = 14;
constexpr unsigned kVersion = 4, kRsa = 1, kRsaSignOnly = 3, kSha256 = 8, kOfText = 1;
// DigestInfo of SHA-256, RFC 8017, section 9.2, note 1.
constexpr std::array<unsigned char, 19> kDigestInfo{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                                    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

tl::unexpected<Error> malformed(const char* what) {
    return fail(ErrorCode::Malformed, std::string("signed text: ") + what);
}

unsigned at(ByteSpan bytes, std::size_t index) {
    return std::to_integer<unsigned>(bytes[index]);
}

// Numbers here have their most significant byte first.
class Reader {
public:
    explicit Reader(ByteSpan from)
        : m_left(from) {}
    [[nodiscard]] bool ok() const { return m_ok; }
    [[nodiscard]] bool atEnd() const { return m_left.empty(); }
    std::size_t number(std::size_t bytes) {
        std::size_t out = 0;
        for (const auto byte : take(bytes)) {
            out = out << 8U | std::to_integer<std::size_t>(byte);
        }
        return out;
    }
    ByteSpan take(std::size_t bytes) {
        if (!m_ok || bytes > m_left.size()) {
            m_ok = false;
            return {};
        }
        const auto out = m_left.first(bytes);
        m_left = m_left.subspan(bytes);
        return out;
    }
    // RFC 9580, section 3.2.
    ByteSpan integer() {
        const auto bits = number(2);
        const auto out = take((bits + 7) / 8);
        m_ok = m_ok && !out.empty() && out.front() != std::byte{0};
        return out;
    }

private:
    ByteSpan m_left;
    bool m_ok = true;
};

struct Packet {
    unsigned tag = 0;
    ByteSpan body;
};

// Lengths that are not known beforehand are for what is streamed, which neither keys nor signatures are.
std::optional<Packet> packetFrom(Reader& reader) {
    Packet out;
    const auto first = reader.number(1);
    std::size_t length = 0;
    if ((first & 0x80U) == 0) {
        return std::nullopt;
    }
    if ((first & 0x40U) != 0) {
        out.tag = first & 0x3fU;
        length = reader.number(1);
        if (length >= 192 && length < 224) {
            length = (length - 192) * 256 + reader.number(1) + 192;
        } else if (length == 255) {
            length = reader.number(4);
        } else if (length >= 224) {
            return std::nullopt;
        }
    } else {
        out.tag = first >> 2U & 0xfU;
        const unsigned kind = first & 3U;
        if (kind == 3) {
            return std::nullopt;
        }
        length = reader.number(std::size_t{1} << kind);
    }
    out.body = reader.take(length);
    return reader.ok() ? std::optional(out) : std::nullopt;
}

cpp_int integerFrom(ByteSpan bytes) {
    cpp_int out;
    boost::multiprecision::import_bits(out, reinterpret_cast<const unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()) + bytes.size());
    return out;
}

std::optional<PublicKey> keyFrom(ByteSpan body) {
    Reader reader(body);
    const auto version = reader.number(1);
    (void)reader.number(4); // when it was made
    const auto algorithm = reader.number(1);
    if (version != kVersion || (algorithm != kRsa && algorithm != kRsaSignOnly)) {
        return std::nullopt;
    }
    const auto modulus = reader.integer();
    const auto exponent = reader.integer();
    if (!reader.ok() || !reader.atEnd() || modulus.size() < kMinKeyBits / 8 || modulus.size() > kMaxKeyBits / 8 || exponent.size() > 4 ||
        (at(modulus, modulus.size() - 1) & 1U) == 0 || (at(exponent, exponent.size() - 1) & 1U) == 0 || integerFrom(exponent) < 3) {
        return std::nullopt;
    }
    return PublicKey{{modulus.begin(), modulus.end()}, {exponent.begin(), exponent.end()}};
}

struct Signature {
    ByteSpan covered; // of the packet itself
    Bytes value;
};

// What it says of itself. Only what does not narrow it may be there: an end in time, or what nobody here knows and has to, does.
bool isPlain(ByteSpan subpackets) {
    Reader reader(subpackets);
    while (reader.ok() && !reader.atEnd()) {
        auto length = reader.number(1);
        if (length >= 192 && length < 255) {
            length = (length - 192) * 256 + reader.number(1) + 192;
        } else if (length == 255) {
            length = reader.number(4);
        }
        const auto body = reader.take(length);
        if (body.empty()) {
            return false;
        }
        const unsigned kind = at(body, 0) & 0x7fU;
        const bool known = kind == 2 || kind == 16 || kind == 20 || kind == 28 || kind == 33; // time, issuer, notation, signer's name, issuer
        if (kind == 3 || ((at(body, 0) & 0x80U) != 0 && (!known || kind == 20))) {
            return false;
        }
    }
    return reader.ok();
}

std::optional<Signature> signatureFrom(ByteSpan body) {
    Reader reader(body);
    const auto version = reader.number(1);
    const auto kind = reader.number(1);
    const auto algorithm = reader.number(1);
    const auto hash = reader.number(1);
    if (version != kVersion || kind != kOfText || (algorithm != kRsa && algorithm != kRsaSignOnly) || hash != kSha256) {
        return std::nullopt;
    }
    const auto hashed = reader.take(reader.number(2));
    const auto covered = body.first(reader.ok() ? 6 + hashed.size() : 0);
    (void)reader.take(reader.number(2)); // what nobody signed
    (void)reader.number(2);              // the hash's first bytes, for those who want to be quick
    const auto value = reader.integer();
    if (!reader.ok() || !reader.atEnd() || !isPlain(hashed)) {
        return std::nullopt;
    }
    return Signature{covered, {value.begin(), value.end()}};
}

// EMSA-PKCS1-v1_5 is made and compared as a whole, so that nothing of it is left to be read in two ways.
bool hasSigned(const PublicKey& key, const Signature& signature, const std::array<unsigned char, 32>& hash) {
    const auto modulus = integerFrom(key.modulus);
    const auto value = integerFrom(signature.value);
    if (value >= modulus) {
        return false;
    }
    std::vector<unsigned char> wanted(key.modulus.size(), 0xff);
    wanted[0] = 0;
    wanted[1] = 1;
    auto tail = wanted.end() - static_cast<std::ptrdiff_t>(kDigestInfo.size() + hash.size());
    *(tail - 1) = 0;
    tail = std::copy(kDigestInfo.begin(), kDigestInfo.end(), tail);
    std::copy(hash.begin(), hash.end(), tail);
    cpp_int meant;
    boost::multiprecision::import_bits(meant, wanted.begin(), wanted.end());
    return boost::multiprecision::powm(value, integerFrom(key.exponent), modulus) == meant;
}

std::array<unsigned char, 32> hashOf(std::string_view text, const Signature& signature) {
    worktree::Sha256 hash;
    hash.update(asBytes(text));
    hash.update(signature.covered);
    const auto bytes = signature.covered.size();
    const unsigned char end[] = {kVersion, 0xff, static_cast<unsigned char>(bytes >> 24U), static_cast<unsigned char>(bytes >> 16U),
                                 static_cast<unsigned char>(bytes >> 8U), static_cast<unsigned char>(bytes)};
    hash.update({reinterpret_cast<const std::byte*>(end), sizeof end});
    const auto hex = hash.hex();
    std::array<unsigned char, 32> out{};
    const auto digit = [&](std::size_t i) { return static_cast<unsigned>(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10); };
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<unsigned char>(digit(2 * i) << 4U | digit(2 * i + 1));
    }
    return out;
}

// --- the armour -------------------------------------------------------------------------------------------------

class Lines {
public:
    explicit Lines(std::string_view text)
        : m_left(text) {}
    // Without its end; nothing after the last, or where one is too long or no text.
    std::optional<std::string_view> next() {
        if (m_left.empty()) {
            return std::nullopt;
        }
        const auto end = m_left.find('\n');
        auto line = m_left.substr(0, end);
        m_left.remove_prefix(end == std::string_view::npos ? m_left.size() : end + 1);
        if (line.size() > kMaxLine || line.find('\0') != std::string_view::npos) {
            m_left = {};
            m_bad = true;
            return std::nullopt;
        }
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
            line.remove_suffix(1);
        }
        return line;
    }
    [[nodiscard]] bool isOver() const { return m_left.empty() && !m_bad; }

private:
    std::string_view m_left;
    bool m_bad = false;
};

std::optional<Bytes> fromBase64(std::string_view text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const auto padding = text.ends_with("==") ? 2U : text.ends_with("=") ? 1U : 0U;
    Bytes out;
    std::size_t bits = 0, held = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6U | digit) & 0xffffU;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out.push_back(static_cast<std::byte>(bits >> held & 0xffU));
        }
    }
    return out;
}

struct Parts {
    std::string hashed; // lines ended as a signature of text has them (section 7.1), the last without
    std::string text;
    Bytes signatures;
};

Result<Parts> partsOf(std::string_view armoured) {
    Lines lines(armoured);
    if (lines.next() != "-----BEGIN PGP SIGNED MESSAGE-----") {
        return malformed("it does not begin as such");
    }
    auto line = lines.next();
    for (; line && !line->empty(); line = lines.next()) {
        if (!line->starts_with("Hash: ")) {
            return malformed("its head has more than it may");
        }
    }
    Parts out;
    bool first = true;
    for (line = lines.next(); line && *line != "-----BEGIN PGP SIGNATURE-----"; line = lines.next()) {
        if (line->starts_with("- ")) {
            line->remove_prefix(2);
        } else if (line->starts_with('-')) {
            return malformed("a line begins as none may");
        }
        out.hashed += first ? "" : "\r\n";
        out.hashed += *line;
        out.text += *line;
        out.text += '\n';
        first = false;
    }
    if (!line || first) {
        return malformed("nothing is signed");
    }
    for (line = lines.next(); line && !line->empty(); line = lines.next()) {
        if (!line->starts_with("Version: ") && !line->starts_with("Comment: ")) {
            return malformed("the head of its signatures has more than it may");
        }
    }
    std::string digits;
    for (line = lines.next(); line && *line != "-----END PGP SIGNATURE-----"; line = lines.next()) {
        if (line->starts_with('=')) {
            continue; // a checksum of the armour, which proves nothing
        }
        digits += *line;
        if (digits.size() > 2 * kMaxSignatureBytes) {
            return fail(ErrorCode::LimitExceeded, "signed text: there are too many signatures");
        }
    }
    if (!line || !lines.isOver()) {
        return malformed("it does not end with its signatures");
    }
    auto bytes = fromBase64(digits);
    if (!bytes) {
        return malformed("its signatures cannot be read");
    }
    out.signatures = std::move(*bytes);
    return out;
}

} // namespace

Result<std::vector<PublicKey>> keysFrom(ByteSpan keyring) {
    if (keyring.size() > kMaxKeyringBytes) {
        return fail(ErrorCode::LimitExceeded, "the keyring is too long");
    }
    std::vector<PublicKey> out;
    Reader reader(keyring);
    while (!reader.atEnd()) {
        const auto packet = packetFrom(reader);
        if (!packet) {
            return fail(ErrorCode::Malformed, "the keyring cannot be read");
        }
        if (packet->tag != kKeyTag && packet->tag != kSubkeyTag) {
            continue;
        }
        if (auto key = keyFrom(packet->body)) {
            out.push_back(std::move(*key));
        }
        if (out.size() > kMaxKeys) {
            return fail(ErrorCode::LimitExceeded, "the keyring has too many keys");
        }
    }
    if (out.empty()) {
        return fail(ErrorCode::NotFound, "the keyring has no key that can be used");
    }
    return out;
}

Result<std::string> signedText(std::string_view armoured, const std::vector<PublicKey>& keys) {
    if (armoured.size() > kMaxSignedBytes) {
        return fail(ErrorCode::LimitExceeded, "signed text: it is too long");
    }
    auto parts = partsOf(armoured);
    if (!parts) {
        return fail(std::move(parts).error());
    }
    Reader reader(parts->signatures);
    for (std::size_t count = 0; !reader.atEnd(); ++count) {
        const auto packet = packetFrom(reader);
        if (!packet || packet->tag != kSignatureTag) {
            return malformed("its signatures cannot be read");
        }
        if (count == kMaxSignatures) {
            return fail(ErrorCode::LimitExceeded, "signed text: there are too many signatures");
        }
        const auto signature = signatureFrom(packet->body); // nothing: by a key, or in a way, that is not looked at here
        if (!signature) {
            continue;
        }
        const auto hash = hashOf(parts->hashed, *signature);
        if (std::any_of(keys.begin(), keys.end(), [&](const PublicKey& key) { return hasSigned(key, *signature, hash); })) {
            return std::move(parts->text);
        }
    }
    return fail(ErrorCode::Refused, "no key that counts has signed it");
}

} // namespace carrel::packages
