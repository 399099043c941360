// SPDX-License-Identifier: Apache-2.0
#include "app/egress/networks.h"

namespace carrel::egress {

Networks::Networks(Setup setup)
    : m_to(std::move(setup)) {
    if (!m_to.connector) {
        m_to.connector = std::make_unique<SocketConnector>();
    }
    if (!m_to.resolver) {
        m_to.resolver = [] { return std::make_shared<SystemResolver>(); };
    }
    if (!m_to.ownNetworks) {
        m_to.ownNetworks = OwnNetworks::read;
    }
    if (!m_to.roots) {
        m_to.roots = openHostRoots;
    }
}

std::shared_ptr<Egress> Networks::open(const std::string& agent, const std::string& session, NetMode mode, Log log,
                                       std::shared_ptr<AgentCredentials> credentials, Metered metered) {
    auto out = Egress::make({agent, session, mode, &m_to.queue, &m_to.rules, &m_to.grants, m_to.connector.get(), m_to.resolver(),
                             m_to.proxies, m_to.ownNetworks, std::move(log.record), std::move(log.decided), std::move(credentials), m_to.roots,
                             m_to.canaries, std::move(log.alarm), metered.limits, std::move(metered.volume), m_numbers});
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_open, [](const auto& each) { return each.second.expired(); });
    m_open[agent] = out;
    return out;
}

std::vector<std::shared_ptr<Egress>> Networks::all() {
    std::vector<std::shared_ptr<Egress>> out;
    const std::lock_guard lock(m_mutex);
    for (const auto& [agent, open] : m_open) {
        if (auto one = open.lock()) {
            out.push_back(std::move(one));
        }
    }
    return out;
}

void Networks::credentialsChanged() {
    for (const auto& one : all()) {
        one->credentialsChanged();
    }
}

void Networks::canariesChanged() {
    for (const auto& one : all()) {
        one->canariesChanged();
    }
}

void Networks::changed(const policy::Approval& approval, std::uint64_t /*number*/) {
    std::shared_ptr<Egress> of;
    {
        const std::lock_guard lock(m_mutex);
        if (const auto at = m_open.find(approval.agent); at != m_open.end()) {
            of = at->second.lock();
        }
    }
    if (of) {
        of->approvalChanged(approval);
    }
}

void Networks::rulesChanged() {
    for (const auto& one : all()) {
        one->rulesChanged();
    }
}

} // namespace carrel::egress
