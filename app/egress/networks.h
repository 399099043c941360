// SPDX-License-Identifier: Apache-2.0
// The network of all agents of one home: what they share (who connects, how this computer gets out), and who of them runs, so that
// an answer of the owner's finds the connections that wait for it.
//
// Owner: the engine; outlives every Egress that it opened. What it is given outlives those; it uses none of it by itself. Thread: any.
#pragma once

#include "app/egress/egress.h"

namespace carrel::egress {

class Networks final : public policy::ApprovalListener {
public:
    struct Setup {
        policy::ApprovalQueue& queue;
        policy::Rules& rules;
        policy::Grants& grants;
        Result<ProxySettings> proxies;
        std::unique_ptr<Connector> connector;                       // none: sockets
        std::function<std::shared_ptr<Resolver>()> resolver;        // of one agent; none: the host's
        std::function<Result<OwnNetworks>()> ownNetworks;           // none: the kernel's word
        std::function<Result<UniqueFd>()> roots = {};               // that hosts are verified by; none: the host's
        CanaryBook* canaries = nullptr;                             // Egress::Setup
    };
    explicit Networks(Setup setup);

    // The network of a machine that starts, until it is stopped.
    struct Log {
        std::function<void(activity::Event event)> record;    // of what has happened
        std::function<Status(activity::Event event)> decided; // Egress::Setup
        std::function<void(std::optional<activity::Event> event, const std::string& why)> alarm = {}; // likewise
    };
    struct Metered { // Egress::Setup
        Limits limits;
        std::shared_ptr<DayVolume> volume;
    };
    [[nodiscard]] std::shared_ptr<Egress> open(const std::string& agent, const std::string& session, NetMode mode, Log log,
                                               std::shared_ptr<AgentCredentials> credentials = {}, Metered metered = {});
    void credentialsChanged(); // Egress::credentialsChanged, of all
    void canariesChanged();    // likewise
    void changed(const policy::Approval& approval, std::uint64_t number) override;
    void rulesChanged() override;

private:
    [[nodiscard]] std::vector<std::shared_ptr<Egress>> all();

    Setup m_to;
    std::mutex m_mutex;
    std::map<std::string, std::weak_ptr<Egress>> m_open; // by agent
    const std::shared_ptr<std::atomic<std::uint64_t>> m_numbers = std::make_shared<std::atomic<std::uint64_t>>(0); // of connections
};

} // namespace carrel::egress
