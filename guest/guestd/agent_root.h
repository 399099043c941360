// SPDX-License-Identifier: Apache-2.0
// What the agent's first process does to make its own world, before it becomes agent-init: runs as root of
// the new user namespace, in the new mount, PID and network namespaces. Used by agent_space.cpp only. Thread:
// the only thread of a freshly forked child.
#pragma once

#include <string>

namespace carrel::guestd {

struct AgentRootPlan {
    int rootMount = -1;      // detached, id-mapped
    int workspaceMount = -1; // detached, slave
    int shelfMount = -1;     // detached, read-only
    std::string root;        // where to assemble
};

// The step that failed, with errno set; null when the world stands.
[[nodiscard]] const char* assembleAgentRoot(const AgentRootPlan& plan);
// lo up; dummy0 with an address and the default route, because programs look for one. Best effort.
void setUpAgentNetwork();
// no_new_privs, and a bounding set (capabilities(7)) without what a namespace's root has no use for. Returns
// the step that failed, or null.
[[nodiscard]] const char* dropPrivileges();

} // namespace carrel::guestd
