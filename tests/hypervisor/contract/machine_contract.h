// SPDX-License-Identifier: Apache-2.0
// What every back end must do, whatever is beneath it. One executable per back end links these tests and
// defines makeContractWorld().
#pragma once

#include "hypervisor/api/backend.h"

#include <memory>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace carrel::hypervisor {

class ContractWorld {
public:
    virtual ~ContractWorld() = default;
    // Why the tests cannot run here; empty when they can.
    virtual std::string whyNot() { return {}; }
    virtual Backend& backend() = 0;
    // As another process would see the same host.
    virtual std::unique_ptr<Backend> secondBackend() = 0;
    // A fresh machine of this home, whose guest prints kProbeAnswer on its console.
    virtual MachineSpec spec(const HomeId& home) = 0;
    virtual HostProbe probe(const HomeId& home) = 0;
    // The guest powers off by itself. `console` is the test's connection.
    virtual void powerOff(const MachineId& id, int console) = 0;
    // The guest, or the test in its place, sends back one line that arrives on the control channel.
    virtual void echoOneLine(const MachineId& id) = 0;
};

std::unique_ptr<ContractWorld> makeContractWorld();

// Reads until the text was seen, the stream ended, or a minute passed without a byte.
inline bool readUntil(int fd, std::string_view text, std::string* all = nullptr) {
    std::string heard;
    char buffer[4096];
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    while (heard.find(text) == std::string::npos) {
        if (::poll(&ready, 1, 60000) <= 0) {
            break;
        }
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got <= 0) {
            break;
        }
        heard.append(buffer, static_cast<std::size_t>(got));
    }
    if (all != nullptr) {
        *all += heard;
    }
    return heard.find(text) != std::string::npos;
}

inline HomeId randomHome() {
    return HomeId::parse(AgentId::random()->text()).value();
}

} // namespace carrel::hypervisor
