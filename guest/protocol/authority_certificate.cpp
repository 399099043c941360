// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/authority_certificate.h"

#include "guest/protocol/share_path.h"

#include <algorithm>

namespace carrel {

namespace json = boost::json;

namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
constexpr std::size_t kLine = 64;
constexpr std::size_t kHashDigits = 8;

// X.690, 8.1.3 and 10.1: the length in its shortest form, and nothing after what it counts.
bool isOneDerSequence(std::string_view bytes) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    if (bytes.size() < 2 || at(0) != 0x30) {
        return false;
    }
    if (at(1) < 0x80) {
        return bytes.size() - 2 == at(1);
    }
    const std::size_t octets = at(1) & 0x7fU;
    if (octets == 0 || octets > 2 || bytes.size() < 2 + octets || at(2) == 0) { // kMaxCertificatePem needs no more than two
        return false;
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < octets; ++i) {
        length = length << 8U | at(2 + i);
    }
    return length >= 0x80 && bytes.size() - 2 - octets == length;
}

} // namespace

bool isCertificatePem(std::string_view text) {
    if (text.size() > kMaxCertificatePem || !text.starts_with(kBegin) || !text.ends_with(kEnd) || text.size() <= kBegin.size() + kEnd.size()) {
        return false;
    }
    text.remove_prefix(kBegin.size());
    text.remove_suffix(kEnd.size());
    std::string body;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        const bool isLast = line.size() + 1 == text.size();
        if (line.size() >= text.size() || line.empty() || line.size() > kLine || (line.size() < kLine && !isLast)) {
            return false;
        }
        body += line;
        text.remove_prefix(line.size() + 1);
    }
    const auto bytes = fromBase64(body);
    return bytes && isOneDerSequence(*bytes);
}

bool isGood(const AuthorityCertificate& authority) {
    return authority.nameHash.size() == kHashDigits &&
           std::ranges::all_of(authority.nameHash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }) &&
           isCertificatePem(authority.pem);
}

json::object toJson(const AuthorityCertificate& authority) {
    return {{"certificate", authority.pem}, {"name_hash", authority.nameHash}};
}

std::optional<AuthorityCertificate> takeAuthority(JsonFields& fields, std::string_view key) {
    const auto* object = fields.optionalObject(key);
    if (object == nullptr) {
        return std::nullopt;
    }
    JsonFields inner(*object, key);
    AuthorityCertificate out{inner.string("certificate", kMaxCertificatePem), inner.string("name_hash", kHashDigits)};
    if (!inner.finish() || !isGood(out)) {
        fields.problem(key, "is not one certificate and the hash of its name");
        return std::nullopt;
    }
    return out;
}

} // namespace carrel
