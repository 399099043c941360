// SPDX-License-Identifier: Apache-2.0
// What happens on the host, told to the guest.
#include "app/clerk/broker_impl.h"

namespace carrel::clerk {

void ShareBroker::Impl::send(Bytes&& message) const {
    if (events.notify && !revoked) {
        events.notify(std::move(message));
    }
}

void ShareBroker::Impl::announce(NodeId parent, const std::string& name) {
    send(invalEntry(parent, name));
}

void ShareBroker::Impl::noticeOnce(WatchOutcome outcome) {
    if (outcome == WatchOutcome::Watched || !noticed.insert(outcome).second || !events.notice) {
        return;
    }
    switch (outcome) {
    case WatchOutcome::FileSystemCannot:
        events.notice("This folder is on a network or removable drive that does not report changes; the "
                      "agent looks again "
                      "every second");
        break;
    case WatchOutcome::LimitReached:
        events.notice(
            "This user's folder watches are all in use; in some folders the agent looks again every second. "
            "Raise fs.inotify.max_user_watches to change that");
        break;
    default:
        events.notice(
            "Some folders cannot be watched for changes; the agent looks at them again every second");
        break;
    }
}

void ShareBroker::Impl::noticeOnce(Placeholder kind) {
    if (!noticedPlaceholders.insert(kind).second || !events.notice) {
        return;
    }
    const std::string program(programOf(kind));
    events.notice("The agent tried to read a file that is not on this computer: " + program +
                  " keeps it elsewhere, and only a placeholder stands for it here. Make it available offline in " +
                  program + ", then the agent can read it");
}

void ShareBroker::Impl::take(const HostEvent& event, std::set<NodeId>& changed) {
    if (event.kind == HostEventKind::Folder) {
        changed.insert(event.folder);
        return;
    }
    if (!options.hidden.empty()) {
        const auto names = table.path(event.folder);
        if (names && isHidden(*names, event.name)) {
            return;
        }
    }
    const auto id = table.current(event.folder, event.name);
    const auto node = id ? table.find(*id) : std::nullopt;
    const bool remembered = node && (node->flags & kNodeEntryHandedOut) != 0;
    if (node && (node->flags & kNodeReadUnsettled) != 0) {
        // It was read while somebody had it open for writing, and a write has ended since: it may have begun
        // before.
        table.setFlags(node->id, kNodeStale);
        forgetRecord(*node);
        table.supersede(node->id);
        open.close(node->id);
    }
    if (node) {
        table.setFlags(node->id, 0, kNodeEntryHandedOut);
    }
    if (event.kind == HostEventKind::Name) {
        changed.insert(event.folder);
        announce(event.folder, event.name); // that it is not there may be remembered too
    } else if (remembered) {
        announce(event.folder, event.name);
    }
}

void ShareBroker::Impl::onHostEvents() {
    if (!watcher || revoked) {
        return;
    }
    const HostWatcher::Drained drained = watcher->drain();
    if (drained.overflowed) {
        invalidateAll();
        return;
    }
    std::set<NodeId> changed;
    for (const HostEvent& event : drained.events) {
        take(event, changed);
    }
    for (const NodeId id : changed) { // after the entries, so that a fresh listing meets no old entry
        send(invalInode(id));
    }
}

void ShareBroker::Impl::invalidateAll() {
    std::vector<NodeId> folders{lower::kRootNode};
    table.forEach([&](const Node& node) {
        if (node.type == NodeType::Directory) {
            folders.push_back(node.id);
        }
        if ((node.flags & kNodeReadUnsettled) != 0) {
            table.setFlags(node.id, kNodeStale);
            forgetRecord(node);
        }
        if ((node.flags & kNodeEntryHandedOut) != 0) {
            announce(node.parent, node.name);
            table.setFlags(node.id, 0, kNodeEntryHandedOut);
        }
    });
    for (const NodeId id : folders) {
        send(invalInode(id));
    }
}

} // namespace carrel::clerk
