// SPDX-License-Identifier: Apache-2.0
// Connects: to the first of several addresses that answers (RFC 8305, "happy eyeballs": families in turn, the next one after a
// quarter of a second), or through a proxy to a name. What comes out is a socket that does not block, is closed on exec, and whose
// other side is one of the very addresses that were given.
//
// The time-out is that of the whole, with the proxy's answer. Nothing the other side says is read, but the proxy's answer to its end.
#pragma once

#include "app/egress/tunnel.h"
#include "guest/protocol/unique_fd.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace carrel::egress {

inline constexpr std::size_t kMaxTried = 8; // of one name's addresses

struct Wanted {
    std::vector<Endpoint> to;  // the host's, or the proxy's
    std::optional<Tunnel> through;
};
struct Made {
    UniqueFd socket;
    Endpoint to; // the one that answered
};

class Connector {
public:
    virtual ~Connector() = default;
    // `done` is called once, on a thread of its own or before this returns; it must not block. Refused: nobody listens there.
    // Expired: no answer in time. Unavailable, Malformed: no way there, or the proxy would not. Cancelled.
    virtual void connect(Wanted wanted, std::stop_token stop, std::function<void(Result<Made>)> done) = 0;
};

// One thread for all connections. Thread: any. Destroying it answers all that wait with Cancelled.
class SocketConnector final : public Connector {
public:
    struct Patience {
        std::chrono::milliseconds next{250};   // RFC 8305, section 5
        std::chrono::milliseconds whole{30'000};
    };
    SocketConnector();
    explicit SocketConnector(Patience patience);
    ~SocketConnector() override;
    SocketConnector(const SocketConnector&) = delete;
    SocketConnector& operator=(const SocketConnector&) = delete;

    void connect(Wanted wanted, std::stop_token stop, std::function<void(Result<Made>)> done) override;

private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

// Families in turn, beginning with that of the first; kMaxTried at most.
[[nodiscard]] std::vector<Endpoint> inTurn(const std::vector<Endpoint>& endpoints);

} // namespace carrel::egress
