// SPDX-License-Identifier: Apache-2.0
// Keeps a server of an agent's, which a browser of the user's looks at, to itself. The browser has the user's accounts and reaches
// the internet, and the pages are the agent's: they are held to their own origin, and no other site gets at them.
//
//   requests    of another site's pages go no further, but for a link that the user follows (Fetch Metadata; the Origin field); nor
//               does the script of a service worker
//   responses   get a policy of their own beside the server's (CSP Level 3), lose what would make the browser speak to somebody else,
//               and lead to no other origin by themselves
//
// What this cannot hold (looked at in Chromium 156, which keeps to the rest of it): a page leads its own window elsewhere; it looks names
// up and connects ahead of that (dns-prefetch, preconnect); and it makes direct connections (WebRTC), since the directive against them
// is known to hardly any browser. So a forward is a way out for data, and is asked for as one.
// Thread: any; it does not change.
#pragma once

#include "app/relay/head_guard.h"

namespace carrel::relay {

class ForwardGuard final : public HeadGuard {
public:
    // `origin`: as the browser knows it. `port`: where the server listens in its machine.
    ForwardGuard(Origin origin, std::uint16_t port);

    [[nodiscard]] std::optional<Refusal> request(RequestHead& head) const override;
    [[nodiscard]] std::optional<Refusal> response(ResponseHead& head, const RequestHead& to) const override;
    // Names neither the origin nor the port: whoever is here by another name is not to learn it.
    [[nodiscard]] std::string page(const Refusal& refusal, std::string_view method, After after) const override;

private:
    void addPolicies(Fields& fields) const;

    Origin m_origin;
    std::uint16_t m_port;
    std::string m_policy;
};

// Where a response leads to. Own: whichever way a browser reads it, it stays with the origin; with the address to be sent instead, where
// that is another. Elsewhere: anything else.
struct Lead {
    enum class Where { Own, Elsewhere } where = Where::Elsewhere;
    std::optional<std::string> instead = {};
};
[[nodiscard]] Lead leadOf(std::string_view location, const Origin& origin, std::uint16_t port);

} // namespace carrel::relay
