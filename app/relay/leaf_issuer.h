// SPDX-License-Identifier: Apache-2.0
// Certificates of hosts, issued from an agent's own authority (authority.h) when a program first speaks with one. Each has a key of
// its own, a random serial number, the host as its only name (RFC 6125: in subjectAltName, the subject is empty), and a year to
// live; it is made anew a month before it ends, and where the clock was set back to before it begins.
// Ownership: one per agent, the ends hold their leaf. Thread: one.
#pragma once

#include "app/relay/authority.h"
#include "app/relay/openssl.h"

#include <list>
#include <unordered_map>

namespace carrel::relay {

inline constexpr std::size_t kMaxLeaves = 256; // kept; the one used longest ago goes first
inline constexpr std::chrono::hours kLeafLife{365 * 24};
inline constexpr std::chrono::hours kRenewedBefore{30 * 24};

struct Leaf {
    CertificatePtr certificate;
    KeyPtr key;
    WallTime from;
    WallTime to;
};

class LeafIssuer {
public:
    // Malformed: not an authority that can issue, or its key is another's.
    [[nodiscard]] static Result<LeafIssuer> create(std::string_view certificatePem, std::string_view keyPem);

    // `host`: a name in lower case, or an address as text.
    [[nodiscard]] Result<std::shared_ptr<const Leaf>> leafFor(const std::string& host, WallTime now);
    [[nodiscard]] std::size_t kept() const { return m_order.size(); }

private:
    struct Kept {
        std::string host;
        std::shared_ptr<const Leaf> leaf;
    };
    LeafIssuer(CertificatePtr certificate, KeyPtr key, WallTime to);
    [[nodiscard]] Result<std::shared_ptr<const Leaf>> issue(const std::string& host, WallTime now) const;

    CertificatePtr m_certificate;
    KeyPtr m_key;
    WallTime m_to; // the authority's
    std::list<Kept> m_order; // the one used last at the front
    std::unordered_map<std::string, std::list<Kept>::iterator> m_byHost;
};

} // namespace carrel::relay
