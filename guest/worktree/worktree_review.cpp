// SPDX-License-Identifier: Apache-2.0
// After a decision: settle (the change stands on the host) and discard (it is not wanted). What was written
// since the generation that was decided on is kept.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>

namespace carrel::worktree {

// The place that a rename left: the host has nothing there any more.
void WorktreeImpl::releaseOrigin(Entry* entry, Batch& batch) {
    Entry* origin = originPlaceOf(entry);
    clearOrigin(entry);
    if (origin == nullptr || origin == entry) {
        return;
    }
    if (origin->kind == EntryKind::Whiteout) {
        dropEntry(origin, batch);
    } else {
        origin->cover.reset();
        batch.put.insert(origin);
    }
}

// The host's version shows. The node stays if it is the same bytes, so that what is open stays open: that is what the
// apply left, or, where the host cannot say, what has our size and time.
bool WorktreeImpl::settleFile(Entry* entry, const ChangeRef& ref, const LowerRef& host, Batch& batch) {
    Node* node = entry->node;
    Node* folder = entry->up->node;
    releaseOrigin(entry, batch);
    bool same = false;
    const bool another = ref.left && baseAfter(ref, host) == Base::Stays;
    if (node != nullptr && host && !host->folder && !another) {
        const auto info = answer(*node).attr;
        const auto type = host->attr.mode & S_IFMT;
        same = type == (info.st_mode & S_IFMT) &&
               (type == S_IFLNK || (host->attr.size == static_cast<std::uint64_t>(info.st_size) &&
                                    coverOf(host->attr).version.mtimeNs == toNs(info.st_mtim)));
    }
    if (node != nullptr && !same) {
        detach(*node, Node::Link::Superseded);
        node = nullptr;
        entry->object = 0; // the node's now, as long as somebody reads it
    }
    if (node != nullptr) {
        if (node->object != 0) {
            batch.doomed.push_back(node->object);
        }
        node->object = 0;
        setLower(*node, host);
        note(KernelNote::Kind::Attributes, node->id);
    }
    const std::string name = entry->name;
    dropEntry(entry, batch);
    if (node != nullptr) {
        node->orphan.reset();
    } else if (folder != nullptr) {
        note(KernelNote::Kind::Entry, folder->id, name);
        note(KernelNote::Kind::Listing, folder->id);
    }
    return false;
}

void WorktreeImpl::settleFolder(Entry* entry, const LowerRef& host, Batch& batch) {
    releaseOrigin(entry, batch);
    entry->fromLower = true;
    entry->cover = coverOf(attrOf(host));
    if (entry->node != nullptr) {
        setLower(*entry->node, host);
        note(KernelNote::Kind::Attributes, entry->node->id);
    }
    touch(entry, batch);
    dropIfSame(entry, batch);
}

// Is what the host has what the decision left there? If somebody has changed it since, the work here was not made
// against that, and a review has to find it out.
WorktreeImpl::Base WorktreeImpl::baseAfter(const ChangeRef& ref, const LowerRef& host) {
    if (!ref.left) {
        return Base::Stays;
    }
    const auto& left = ref.left->version;
    if (host && host->folder) {
        // The same one whatever was done in it; by `left` a file was there if it had a size (change_report.h).
        return left && left->inode == attrOf(host).ino && left->size == 0 ? Base::Hosts : Base::Stays;
    }
    const auto now = host ? std::optional(coverOf(host->attr).version) : std::nullopt;
    return left == now ? Base::Hosts : Base::Stays;
}

// Work done since the decision stays.
void WorktreeImpl::rebase(Entry* entry, const LowerRef& host, Base base, MoveBy move, Batch& batch) {
    if (move == MoveBy::LaterWork) { // onto a name that was decided on: the host has nothing of it yet
        if (base == Base::Hosts) {
            entry->cover = host ? std::optional(coverOf(attrOf(host))) : std::nullopt;
        }
        touch(entry, batch);
        return;
    }
    if (!entry->origin.empty()) {
        if (base == Base::Stays && entry->originBase) {
            entry->cover = entry->originBase; // it is what was moved, and what was done to it since
        }
        releaseOrigin(entry, batch);
    }
    if (base == Base::Hosts && host) {
        entry->cover = coverOf(attrOf(host));
    } else if (base == Base::Hosts) {
        entry->cover.reset();
    }
    touch(entry, batch);
    // Of a file that is gone a time is no work, but permissions are: a review says so.
    const bool saysNothing = host ? sameAsHost(*entry) : !entry->cover || entry->cover->mode == entry->mode;
    if (!host && entry->kind == EntryKind::Whiteout) {
        dropEntry(entry, batch);
    } else if (entry->kind == EntryKind::File && entry->fromLower && saysNothing) {
        // Only the move was staged. From here on it would be what the next work here is made against.
        forgetEntry(entry, batch);
    }
}

// An entry of a folder that stands on the host and holds nothing staged says nothing. It must go: as long as
// it is there the folder shows, even when the host has it no more. Not from a node that knows nothing of the
// host's folder (findLower): without an entry, too, it would be nothing at all.
bool WorktreeImpl::dropIfSame(Entry* entry, Batch& batch) {
    if (!sameAsHost(*entry) || (entry->node != nullptr && !entry->node->lower)) {
        return false;
    }
    dropEntry(entry, batch);
    return true;
}

void WorktreeImpl::prune(Entry* folder, Batch& batch) {
    while (folder != m_rootEntry) {
        Entry* up = folder->up;
        if (!dropIfSame(folder, batch)) {
            return;
        }
        folder = up;
    }
}

// The folders of a name and of the name that it had before; either may lie inside the other.
void WorktreeImpl::pruneBoth(Entry* folder, Entry* other, Batch& batch) {
    const auto otherId = other == nullptr ? kRootEntry : other->id;
    prune(folder, batch);
    if (const auto it = m_entries.find(otherId); it != m_entries.end()) {
        prune(it->second.get(), batch);
    }
}

// Folders that were made where the host had one are asked for where the host has them: an entry may go
// (prune) only from a node that is something without it.
bool WorktreeImpl::findLower(const SharePath& path) {
    std::vector<std::pair<NodePtr, std::string>> wanted;
    {
        const std::lock_guard lock(m_state);
        const Entry* at = entryAt(path);
        for (; at != nullptr && at != m_rootEntry; at = at->up) {
            auto place = lowerPathOf(at);
            if (at->kind == EntryKind::Directory && at->node != nullptr && !at->node->lower && place) {
                wanted.emplace_back(m_nodes.at(at->node->id), std::move(*place));
            }
        }
    }
    for (const auto& [node, place] : wanted) {
        const auto found = lowerAt(place);
        if (!found) {
            return false;
        }
        if (found->ref && found->ref->folder) {
            const std::lock_guard lock(m_state);
            setLower(*node, found->ref);
        }
    }
    return true;
}

bool WorktreeImpl::settleOne(const ChangeRef& ref) {
    std::uint64_t id = 0;
    std::optional<std::string> path;
    std::string origin;
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        Entry* entry = entryAt(ref.path);
        if (entry == nullptr || entry == m_rootEntry) {
            return false;
        }
        id = entry->id;
        origin = entry->generation == ref.generation ? std::string() : entry->origin;
        path = below(lowerPathOf(entry->up), entry->name);
        if (entry->node != nullptr) {
            node = find(entry->node->id);
        }
    }
    Found host;
    if (path) {
        auto found = lowerAt(*path);
        if (!found) {
            return true; // nobody at the door: decide nothing
        }
        host = std::move(*found);
    }
    Found moved;
    if (!origin.empty()) {
        auto found = lowerAt(origin);
        if (!found) {
            return true;
        }
        moved = std::move(*found);
    }
    std::unique_lock<std::shared_mutex> io;
    if (node) {
        io = std::unique_lock(node->io); // no write is half done
    }
    if (reserveAt(ref.path) != 0) {
        return true;
    }
    const std::lock_guard lock(m_state);
    Entry* entry = entryAt(ref.path);
    if (entry == nullptr || entry->id != id) {
        return true;
    }
    Batch batch;
    Entry* up = entry->up;
    const Entry* originPlace = originPlaceOf(entry);
    Entry* originUp = originPlace == nullptr ? nullptr : originPlace->up;
    bool kept = entry->generation != ref.generation;
    if (kept && entry->origin != origin) {
        return true; // moved this very moment: nothing is known of where it came from
    }
    // As long as the host has at its old name what was moved, no decision has moved it.
    const bool later = kept && moved.ref && entry->originBase && attrOf(moved.ref).ino == entry->originBase->version.inode;
    const auto move = later ? MoveBy::LaterWork : MoveBy::Decision;
    const bool folder = entry->kind == EntryKind::Directory;
    if (later) {
        rebase(entry, host.ref, folder ? Base::Hosts : baseAfter(ref, host.ref), move, batch);
    } else if (folder && host.ref && host.ref->folder) {
        const auto wanted = entry->mode;
        if (!kept) {
            entry->mode = host.ref->attr.mode & 07777U;
        }
        kept = kept && wanted != (host.ref->attr.mode & 07777U);
        settleFolder(entry, host.ref, batch);
    } else if (kept) {
        rebase(entry, host.ref, folder ? Base::Hosts : baseAfter(ref, host.ref), move, batch);
    } else if (folder) {
        const bool holds = std::any_of(entry->children.begin(), entry->children.end(), [](const auto& item) {
            return item.second->kind != EntryKind::Whiteout;
        });
        if (holds) { // the host has it no more, yet there is work in it
            rebase(entry, host.ref, Base::Hosts, move, batch);
            kept = true;
        } else {
            forgetEntry(entry, batch);
        }
    } else if (entry->kind == EntryKind::Whiteout) {
        forgetEntry(entry, batch);
    } else {
        kept = settleFile(entry, ref, host.ref, batch);
    }
    pruneBoth(up, originUp, batch);
    return commit(batch) != 0 || kept;
}

// The entry goes; whatever the host has there shows.
void WorktreeImpl::forgetEntry(Entry* entry, Batch& batch) {
    Node* folder = entry->up->node;
    const std::string name = entry->name;
    if (entry->node != nullptr) {
        detach(*entry->node, Node::Link::Superseded);
        entry->object = 0; // the node's, see dropIfUnused
    }
    dropEntry(entry, batch);
    if (folder != nullptr) {
        note(KernelNote::Kind::Entry, folder->id, name);
        note(KernelNote::Kind::Listing, folder->id);
    }
}

// What took the place of a renamed folder goes; the folder stays where it was renamed to.
void WorktreeImpl::backToRemoval(Entry* entry, Batch& batch) {
    Node* folder = entry->up->node;
    if (entry->node != nullptr) {
        detach(*entry->node, Node::Link::Superseded);
    } else if (entry->object != 0) {
        batch.doomed.push_back(entry->object);
    }
    entry->kind = EntryKind::Whiteout;
    entry->fromLower = false;
    entry->object = 0;
    entry->link.clear();
    entry->mtimeNs.reset();
    touch(entry, batch);
    if (folder != nullptr) {
        note(KernelNote::Kind::Entry, folder->id, entry->name);
        note(KernelNote::Kind::Listing, folder->id);
    }
}

// A renamed folder goes back to where the host has it.
void WorktreeImpl::goHome(Entry* entry, Batch& batch) {
    Entry* origin = originPlaceOf(entry);
    Entry* up = origin->up;
    const std::string name = origin->name;
    Node* oldFolder = entry->up->node;
    const std::string oldName = entry->name;
    entry->cover = origin->cover;
    moveChildren(origin, entry, batch);
    dropEntry(origin, batch);
    place(entry, up, name);
    clearOrigin(entry);
    entry->mode = entry->cover ? entry->cover->mode : entry->mode;
    if (Node* node = entry->node; node != nullptr) {
        if (up->node != nullptr) {
            if (oldFolder != nullptr) {
                oldFolder->children.erase(oldName);
            }
            node->parent = m_nodes.at(up->node->id);
            node->name = name;
            up->node->children.insert_or_assign(name, node);
        } else {
            detach(*node, Node::Link::Gone);
        }
    }
    for (const auto& [folder, what] : {std::pair{oldFolder, oldName}, {up->node, name}}) {
        if (folder != nullptr) {
            note(KernelNote::Kind::Entry, folder->id, what);
            note(KernelNote::Kind::Listing, folder->id);
        }
    }
    touch(entry, batch);
    dropIfSame(entry, batch);
}

bool WorktreeImpl::discardOne(const ChangeRef& ref) {
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        Entry* entry = entryAt(ref.path);
        if (entry != nullptr && entry->node != nullptr) {
            node = find(entry->node->id);
        }
    }
    std::unique_lock<std::shared_mutex> io;
    if (node) {
        io = std::unique_lock(node->io);
    }
    if (reserveAt(ref.path) != 0) {
        return true;
    }
    const std::lock_guard lock(m_state);
    Entry* entry = entryAt(ref.path);
    if (entry == nullptr || entry == m_rootEntry) {
        return false;
    }
    if (entry->generation != ref.generation) {
        return true;
    }
    Batch batch;
    const bool coversFolder = entry->cover && entry->cover->type == EntryType::Directory;
    const bool holds = std::any_of(entry->children.begin(), entry->children.end(),
                                   [](const auto& item) { return item.second->kind != EntryKind::Whiteout; });
    const Entry* away = renamedAwayFrom(entry);
    const bool standsIn =
        away != nullptr && reportsRename(*away, entry); // for a folder that is elsewhere now
    Entry* origin = originPlaceOf(entry);
    Entry* up = entry->up;
    Entry* originUp = origin == nullptr ? nullptr : origin->up;
    if (entry->kind == EntryKind::Directory && entry->fromLower && origin != nullptr) {
        if (origin->kind != EntryKind::Whiteout) {
            return true; // something else stands there now
        }
        if (!fitsBelow(*entry, pathOf(origin).size())) {
            return true; // what was made in it would not fit there
        }
        goHome(entry, batch);
    } else if (entry->kind == EntryKind::Directory && !entry->fromLower && (!coversFolder || standsIn) &&
               holds) {
        return true; // work inside is kept, so must the folder be
    } else if (coversFolder && standsIn && entry->kind != EntryKind::Whiteout) {
        backToRemoval(entry, batch);
    } else if (coversFolder) { // the host's folder shows again, less what is still removed in it
        Node* folder = entry->up->node;
        if (entry->kind != EntryKind::Directory && entry->node != nullptr) {
            detach(*entry->node, Node::Link::Superseded);
        } else if (entry->object != 0) {
            batch.doomed.push_back(entry->object);
        }
        entry->kind = EntryKind::Directory;
        entry->fromLower = true;
        entry->object = 0;
        entry->link.clear();
        entry->mtimeNs.reset();
        entry->mode = entry->cover->mode;
        entry->uid = m_options.ownerUid;
        entry->gid = m_options.ownerGid;
        if (folder != nullptr) {
            note(KernelNote::Kind::Entry, folder->id, entry->name);
            note(KernelNote::Kind::Listing, folder->id);
        }
        if (entry->node != nullptr) {
            note(KernelNote::Kind::Listing, entry->node->id);
        }
        touch(entry, batch);
        dropIfSame(entry, batch);
    } else {
        if (origin != nullptr && origin->kind == EntryKind::Whiteout) {
            forgetEntry(origin, batch);
        }
        forgetEntry(entry, batch);
    }
    pruneBoth(up, originUp, batch);
    return commit(batch) != 0;
}

Result<std::vector<SharePath>> WorktreeImpl::each(std::vector<ChangeRef>& entries,
                                                  bool (WorktreeImpl::*one)(const ChangeRef&)) {
    std::vector<SharePath> kept;
    bool answers = true;
    for (const auto& ref : entries) {
        answers = answers && findLower(ref.path); // nobody at the door: wait once, not for each
        if ((this->*one)(ref)) {
            kept.push_back(ref.path);
        }
    }
    CARREL_TRY(sync());
    std::sort(kept.begin(), kept.end());
    return kept;
}

Result<std::vector<SharePath>> WorktreeImpl::settle(std::vector<ChangeRef> entries) {
    const std::lock_guard ops(m_ops);
    // Folders before what is in them.
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return each(entries, &WorktreeImpl::settleOne);
}

Result<std::vector<SharePath>> WorktreeImpl::discard(std::vector<ChangeRef> entries) {
    const std::lock_guard ops(m_ops);
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return b.path < a.path; });
    return each(entries, &WorktreeImpl::discardOne);
}

Status WorktreeImpl::sync() {
    if (const int error = m_store->sync(); error != 0) {
        return failErrno("The staged work cannot be written to the disk", error);
    }
    return {};
}

} // namespace carrel::worktree
