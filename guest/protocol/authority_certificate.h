// SPDX-License-Identifier: Apache-2.0
// The certificate of an agent's own authority, on its way from the engine over the clerk into the agent's machine, whose
// programs then trust it: {"certificate": PEM, "name_hash": "1a2b3c4d"}. Never the key, which has no place in this form. Each of the
// three checks it anew. Thread: pure functions.
#pragma once

#include "guest/protocol/strict_json.h"

#include <optional>
#include <string>
#include <string_view>

namespace carrel {

inline constexpr std::size_t kMaxCertificatePem = 8 * 1024; // one on P-256 has about 700 bytes

struct AuthorityCertificate {
    std::string pem;      // isCertificatePem()
    std::string nameHash; // of its subject (X509_NAME_hash(3ssl)), 8 lower-case hexadecimal digits: OpenSSL looks it up in a folder by that
    bool operator==(const AuthorityCertificate&) const = default;
};

// One certificate in the strict text form of RFC 7468 (section 3), as OpenSSL writes it, and not a byte beside it: lines of 64
// characters, canonical base64, one newline after each line; within is one DER sequence that fills it. What the sequence says is
// looked at by nobody but TLS.
[[nodiscard]] bool isCertificatePem(std::string_view text);
// Both members are what they should be.
[[nodiscard]] bool isGood(const AuthorityCertificate& authority);

[[nodiscard]] boost::json::object toJson(const AuthorityCertificate& authority);
// None: the field is not there, or it is a problem of `fields`.
[[nodiscard]] std::optional<AuthorityCertificate> takeAuthority(JsonFields& fields, std::string_view key);

} // namespace carrel
