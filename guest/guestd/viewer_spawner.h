// SPDX-License-Identifier: Apache-2.0
// Starts a command that reads a hostile document, in a disposable viewer machine: in the userland of the read-only disk,
// with an empty /tmp in memory that goes with it, neither /proc nor /dev nor /sys, as an account of its own that owns
// nothing, with limits of its own. So what a document makes of its reader reaches neither the next document's reader nor
// guestd without the kernel's help; and that would be the end of one agent's viewer, not of more (app/viewer).
// Thread: any one at a time. See mount_namespaces(7), setrlimit(2).
#pragma once

#include "guest/guestd/spawner.h"

namespace carrel::guestd {

struct ViewerLimits {
    std::size_t scratchMib = 160;  // of /tmp
    std::size_t memoryMib = 448;   // address space of each process
    std::size_t processes = 16;    // of the account
    unsigned processorSeconds = 90;
};

class ViewerSpawner final : public Spawner {
public:
    ViewerSpawner(std::string userland, ViewerLimits limits);

    [[nodiscard]] Result<Spawned> spawn(const SpawnRequest& request) override;
    [[nodiscard]] Result<PtyPair> openPty() override; // Unsupported: a document has no terminal
    [[nodiscard]] std::map<std::string, std::string> baseEnvironment() const override;
    [[nodiscard]] std::string homeFolder() const override { return "/tmp"; }

private:
    [[nodiscard]] int enter(unsigned account) const; // in the child: errno, or 0

    std::string m_userland;
    ViewerLimits m_limits;
    std::string m_scratch;
    std::string m_scratchOptions;
    unsigned m_nextAccount;
};

} // namespace carrel::guestd
