// SPDX-License-Identifier: Apache-2.0
// From a name to addresses. The host's own resolver does it (getaddrinfo(3): /etc/hosts, its DNS, mDNS, a VPN's servers and its
// search list, as for the user's own programs), so that whatever leads the user there leads the agent there. No machine's
// query leaves this computer by itself: a name is looked up only once the rules let it.
#pragma once

#include "app/egress/destination.h"

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace carrel::egress {

// NotFound: it has none. Expired: not in time. Cancelled. LimitExceeded: too many at once. Unavailable: nobody answers.
using Addresses = Result<std::vector<Address>>;

class Resolver {
public:
    virtual ~Resolver() = default;
    // `done` is called once, on any thread, perhaps before this returns.
    virtual void resolve(const HostName& name, std::stop_token stop, std::function<void(Addresses)> done) = 0;
};

// A look-up blocks and cannot be called back: each has a thread, at most `most` at once for this object, and who waits longer
// than `patience` is answered while its thread goes on. One object an agent: names whose servers say nothing hold up nobody else.
// Thread: any. Destroying it answers all who wait with Cancelled, and waits for no look-up.
class SystemResolver final : public Resolver {
public:
    using LookUp = std::function<Addresses(const HostName& name)>; // blocks
    struct Setup {
        LookUp lookUp; // none: getaddrinfo
        std::chrono::milliseconds patience{10'000};
        std::size_t most = 16;
        std::size_t mostWaiting = 256;
    };
    SystemResolver();
    explicit SystemResolver(Setup setup);
    ~SystemResolver() override;
    SystemResolver(const SystemResolver&) = delete;
    SystemResolver& operator=(const SystemResolver&) = delete;

    void resolve(const HostName& name, std::stop_token stop, std::function<void(Addresses)> done) override;

private:
    class Impl;
    std::shared_ptr<Impl> m_impl;
};

inline constexpr std::size_t kMaxAddresses = 64; // of one name; the others are not looked at
[[nodiscard]] Addresses lookUpByHost(const HostName& name);

} // namespace carrel::egress
