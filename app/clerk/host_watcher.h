// SPDX-License-Identifier: Apache-2.0
// Tells which names changed on the host in the folders that a guest has looked into: inotify(7), which works
// inside the clerk's jail (a watch is set through /proc/self/fd, and Landlock does not ask about looking).
//
// Ownership: owns the inotify descriptor; the owner polls fd() for reading and calls drain(). Thread: one,
// never blocks. What cannot be watched (a network or FUSE file system, the user's watches all used up) is
// said by watch(): the owner then gives the guest one-second validity instead.
#pragma once

#include "app/clerk/node_table.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace carrel::clerk {

// A share of fs.inotify.max_user_watches, which the user's editors and file managers need too; about 1 KiB of
// kernel memory each.
inline constexpr std::size_t kMaxWatches = 32'768;

enum class WatchOutcome {
    Watched,
    FileSystemCannot, // changes made elsewhere would not be seen
    LimitReached,
    Failed,
};

enum class HostEventKind {
    Content, // the file of that name was written, or its metadata changed
    Name,    // the name came, went or stands for something else
    Folder,  // the folder itself: its metadata, or it was moved or removed; no name
};

struct HostEvent {
    NodeId folder = 0;
    HostEventKind kind = HostEventKind::Content;
    std::string name;
    friend auto operator<=>(const HostEvent&, const HostEvent&) = default;
};

class HostWatcher {
public:
    struct Options {
        std::size_t maxWatches = kMaxWatches;
    };
    struct Drained {
        std::vector<HostEvent> events; // each once, however often it happened
        bool overflowed = false;       // events were lost: anything may have changed
    };

    [[nodiscard]] static Result<HostWatcher> create(Options options);
    [[nodiscard]] static Result<HostWatcher> create() { return create(Options{}); }

    // The folder behind `folderFd` (O_PATH is enough) from now on. Call it before reading the folder, so that
    // no change falls between. Cheap when it is watched already.
    [[nodiscard]] WatchOutcome watch(NodeId folder, int folderFd);
    void unwatch(NodeId folder);
    [[nodiscard]] bool isWatched(NodeId folder) const { return m_byNode.count(folder) != 0; }
    [[nodiscard]] Drained drain();
    [[nodiscard]] int fd() const { return m_inotify.get(); }

private:
    HostWatcher(UniqueFd inotify, Options options)
        : m_inotify(std::move(inotify))
        , m_options(options) {}
    void take(int watch, std::uint32_t mask, const char* name, Drained& into);
    void drop(int watch);

    UniqueFd m_inotify;
    Options m_options;
    std::unordered_map<NodeId, int> m_byNode;
    std::unordered_map<int, std::vector<NodeId>> m_byWatch; // one folder may have been known by two names
};

} // namespace carrel::clerk
