// SPDX-License-Identifier: Apache-2.0
// The agent's account: root of its own user namespace, in its own mount, PID, network, UTS, IPC and cgroup
// namespaces, on an id-mapped view of the disk's userland. See namespaces(7), user_namespaces(7),
// mount_setattr(2), pivot_root(2).
//
//   user ids     0 … 65535 inside are 100000 … 165535 in the machine; files keep 0 … on the disk (the id-mapped mount)
//   root         /disk/rootfs; /disk/carrel is not part of it
//   /workspace   a slave of guestd's own mount: what guestd mounts there appears, and cannot be unmounted by the agent
//   /run/carrel  read-only: guestd's socket for questions, and carrel-ask
//   PID 1        this same program in its role as agent-init: reaps, and holds the namespaces
//
// All of it is given up by PID 1's end: the kernel then kills every process of the namespace.
//
// Ownership: the object kills the agent's processes when it goes. Thread: create() and destruction on one
// thread; the others from any.
#pragma once

#include "guest/guestd/spawner.h"
#include "guest/guestd/trust_store.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace carrel::guestd {

inline constexpr unsigned kAgentFirstId = 100000; // in the machine's initial user namespace
inline constexpr unsigned kAgentIds = 65536;

struct AgentPlaces {
    std::string userland = "/disk/rootfs";
    std::string workspace = "/run/carrel/workspace"; // a shared mount of guestd's
    std::string shelf = "/carrel"; // what of Carrel's own the agent sees
    std::string root = "/agent"; // where the new root is assembled; empty, searchable by everybody
    std::string cgroup = "/sys/fs/cgroup/agent";
    std::string self = "/sbin/carrel-guestd";
};

class AgentSpace final : public Spawner {
public:
    [[nodiscard]] static Result<std::unique_ptr<AgentSpace>> create(const AgentPlaces& places);
    ~AgentSpace() override;
    AgentSpace(const AgentSpace&) = delete;
    AgentSpace& operator=(const AgentSpace&) = delete;

    [[nodiscard]] Result<Spawned> spawn(const SpawnRequest& request) override;
    [[nodiscard]] Result<PtyPair> openPty() override;
    [[nodiscard]] std::map<std::string, std::string> baseEnvironment() const override;
    [[nodiscard]] std::string homeFolder() const override { return "/root"; }

    // Puts it into the store of the agent's root and into the environment of what is spawned from here on (trust_store.h,
    // trust_variables.h). Once for each certificate: what the agent does with its store afterwards is its own affair.
    [[nodiscard]] Status trust(const AuthorityCertificate& authority);
    [[nodiscard]] UniqueFd networkNamespace() const; // not open: it cannot be told
    [[nodiscard]] Status setHostname(const std::string& name);
    // Readable when PID 1 of the agent has ended, and with it everything.
    [[nodiscard]] int initPidfd() const { return m_initPidfd.get(); }
    // cgroup2's freezer and kill (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).
    [[nodiscard]] Status freeze();
    [[nodiscard]] Status thaw();
    void killAll();

private:
    explicit AgentSpace(AgentPlaces places)
        : m_places(std::move(places)) {}
    [[nodiscard]] Status build();
    [[nodiscard]] Status makeUserNamespace();
    [[nodiscard]] Status startInit(int rootMount, int workspaceMount, int shelfMount);
    void reapInit();

    AgentPlaces m_places;
    UniqueFd m_cgroupProcs; // opened once: the agent's processes start inside
    UniqueFd m_userNamespace;
    UniqueFd m_ptmx; // O_PATH, of the agent's own devpts
    UniqueFd m_initPidfd;
    pid_t m_init = 0;
    std::mutex m_mutex; // m_init's reaping
    std::atomic<TrustStore> m_trustStore = TrustStore::None;
    std::string m_trusted; // the certificate that is in the store, as far as is known; of trust() alone, which is called one at a time
};

// The role of PID 1 of the agent: reaps until the end of time. Called by main() for "carrel-guestd
// agent-init".
[[noreturn]] void runAgentInit();

// Kills what an earlier guestd left behind in the cgroup; returns when it is empty.
void clearCgroup(const std::string& folder);

} // namespace carrel::guestd
