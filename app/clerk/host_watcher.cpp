// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/host_watcher.h"

#include "app/clerk/drives.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <sys/inotify.h>

namespace carrel::clerk {

namespace {

constexpr std::uint32_t kNameEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
// IN_CLOSE_WRITE besides IN_MODIFY: stores through a mapping are announced by nothing earlier.
constexpr std::uint32_t kContentEvents = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE;
constexpr std::uint32_t kSelfEvents = IN_DELETE_SELF | IN_MOVE_SELF;

} // namespace

Result<HostWatcher> HostWatcher::create(Options options) {
    UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify) {
        return failErrno("cannot watch folders");
    }
    return HostWatcher(std::move(inotify), options);
}

WatchOutcome HostWatcher::watch(NodeId folder, int folderFd) {
    if (m_byNode.count(folder) != 0) {
        return WatchOutcome::Watched;
    }
    if (const Reports reports = reportsOfFolder(folderFd); reports != Reports::Changes) {
        return reports == Reports::Unknown ? WatchOutcome::Failed : WatchOutcome::FileSystemCannot;
    }
    if (m_byWatch.size() >= m_options.maxWatches) {
        return WatchOutcome::LimitReached;
    }
    // Through /proc and not by fchdir(2): the working directory belongs to the whole process.
    const std::string self = "/proc/self/fd/" + std::to_string(folderFd);
    const int watch = ::inotify_add_watch(m_inotify.get(), self.c_str(),
                                          kNameEvents | kContentEvents | kSelfEvents | IN_ONLYDIR);
    if (watch < 0) {
        return errno == ENOSPC || errno == ENOMEM ? WatchOutcome::LimitReached : WatchOutcome::Failed;
    }
    m_byNode.emplace(folder, watch);
    m_byWatch[watch].push_back(folder);
    return WatchOutcome::Watched;
}

void HostWatcher::unwatch(NodeId folder) {
    const auto found = m_byNode.find(folder);
    if (found == m_byNode.end()) {
        return;
    }
    const int watch = found->second;
    m_byNode.erase(found);
    auto& nodes = m_byWatch[watch];
    nodes.erase(std::remove(nodes.begin(), nodes.end(), folder), nodes.end());
    if (nodes.empty()) {
        m_byWatch.erase(watch);
        (void)::inotify_rm_watch(m_inotify.get(), watch);
    }
}

// The kernel has dropped it already: the folder is gone, or its file system.
void HostWatcher::drop(int watch) {
    const auto found = m_byWatch.find(watch);
    if (found == m_byWatch.end()) {
        return;
    }
    for (const NodeId node : found->second) {
        m_byNode.erase(node);
    }
    m_byWatch.erase(found);
}

void HostWatcher::take(int watch, std::uint32_t mask, const char* name, Drained& into) {
    const auto found = m_byWatch.find(watch);
    if (found == m_byWatch.end()) {
        return; // a late event of a watch that was taken back; the kernel does not use its number again soon
    }
    HostEvent event;
    if (name == nullptr) {
        event.kind = HostEventKind::Folder;
    } else {
        event.kind = (mask & kNameEvents) != 0 ? HostEventKind::Name : HostEventKind::Content;
        event.name = name;
    }
    for (const NodeId node : found->second) {
        event.folder = node;
        into.events.push_back(event);
    }
}

HostWatcher::Drained HostWatcher::drain() {
    constexpr std::size_t kMaxEvents = 16'384; // one call's work; the rest is still there for the next
    Drained drained;
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    while (drained.events.size() < kMaxEvents) {
        const ssize_t got = ::read(m_inotify.get(), buffer.data(), buffer.size());
        if (got <= 0) {
            break;
        }
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = event.len > 0 ? buffer.data() + at + sizeof event : nullptr;
            at += sizeof event + event.len;
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                drained.overflowed = true;
                continue;
            }
            take(event.wd, event.mask, name, drained);
            if ((event.mask & (IN_IGNORED | IN_UNMOUNT)) != 0) {
                drop(event.wd);
            }
        }
    }
    std::sort(drained.events.begin(), drained.events.end());
    drained.events.erase(std::unique(drained.events.begin(), drained.events.end()), drained.events.end());
    return drained;
}

} // namespace carrel::clerk
