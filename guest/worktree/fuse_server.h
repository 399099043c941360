// SPDX-License-Identifier: Apache-2.0
// Mounts a Worktree: the kernel's requests (fuse(4), libfuse3's low-level interface) on several threads, and
// one thread of its own that tells the kernel what to forget (never from a handler: it would wait for
// itself). Needs CAP_SYS_ADMIN in the initial user namespace. Mounted nosuid, nodev, allow_other,
// default_permissions. Ownership: the Worktree must outlive it. Thread: any.
#pragma once

#include "guest/worktree/worktree.h"

namespace carrel::worktree {

class FuseServer {
public:
    // Serves when it returns. `mountPoint` is an existing folder.
    [[nodiscard]] static Result<std::unique_ptr<FuseServer>>
    mount(Worktree& tree, const std::string& mountPoint, unsigned threads = 4);
    ~FuseServer(); // unmounts lazily and ends its threads; requests in flight must be able to end
                   // (ChannelLower::stop)
    // Nobody reaches the folder any more; flush() says so. The rest is the destructor's.
    void unmount();
    FuseServer(const FuseServer&) = delete;
    FuseServer& operator=(const FuseServer&) = delete;

    // Writes the kernel's dirty pages to the Worktree (mmap). Not from a thread that a request waits for.
    // `patience`: syncfs(2) comes back when the kernel has queued them (Linux before 6.14 copies each page,
    // and calls it written). So this waits until no request was under way once: at most that long, since a
    // program that goes on working would never let it be.
    [[nodiscard]] Status flush(std::chrono::milliseconds patience = std::chrono::milliseconds(200));

private:
    struct Impl;
    explicit FuseServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::worktree
