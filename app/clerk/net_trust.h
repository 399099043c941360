// SPDX-License-Identifier: Apache-2.0
// What the clerk ends TLS with: whom this computer trusts (net.trust), and the agent's own authority (net.authority), in whose name it
// stands in for hosts. Told by the engine, before the first connection that needs it.
// Owner: the desk. Thread: the event loop's.
#pragma once

#include "app/clerk/net_road.h"
#include "app/relay/tls_end.h"

#include <optional>

namespace carrel::clerk {

class NetTrust {
public:
    // An error: it is none, and what was there stays.
    [[nodiscard]] Status setRoots(const UniqueFd& file);
    [[nodiscard]] Status setAuthority(std::string_view certificatePem, std::string_view keyPem);
    // Nothing: it was told too little. `host`: a name in lower case, or an address as text.
    [[nodiscard]] std::optional<NetRoad::Ends> endsFor(const std::string& host);

private:
    std::optional<relay::ClientContext> m_roots;
    std::optional<relay::ServerContext> m_server;
    std::optional<relay::LeafIssuer> m_issuer;
};

} // namespace carrel::clerk
