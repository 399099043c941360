// SPDX-License-Identifier: Apache-2.0
// An agent's own certificate authority (RFC 5280): trusted in that agent's machine and nowhere else, so that the clerk can stand in
// for the hosts whose TLS it ends. Made once by the engine, which keeps it; the clerk is told it and issues from it
// (leaf_issuer.h). Thread: pure functions.
#pragma once

#include "app/relay/secret_text.h"
#include "guest/protocol/result.h"

#include <chrono>
#include <string>

namespace carrel::relay {

using WallTime = std::chrono::system_clock::time_point;

inline constexpr std::chrono::hours kAuthorityLife{10 * 365 * 24};
// Before now: a machine's clock may be behind the host's.
inline constexpr std::chrono::hours kBackdated{24};

struct Authority {
    std::string certificatePem;
    SecretText keyPem; // PKCS #8, in the clear: its keeper sees to it
};

// A key on P-256; path length 0, so that nothing it signs can sign again; no name constraints, as an agent may be allowed any host.
// `agent`: for the eye of whoever reads the machine's list of certificates; at most 40 bytes of it are used.
[[nodiscard]] Result<Authority> makeAuthority(std::string_view agent, WallTime now);
// X509_NAME_hash(3ssl) of its subject, as OpenSSL names files in a folder of certificates: 8 lower-case hexadecimal digits.
// Malformed: no certificate of an authority.
[[nodiscard]] Result<std::string> nameHashOf(std::string_view certificatePem);

} // namespace carrel::relay
