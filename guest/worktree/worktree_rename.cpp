// SPDX-License-Identifier: Apache-2.0
// Renaming. An entry carries its content along; what its place hid of the host's stays behind, and what its
// new place hides it takes over. One record in the log makes it one step.
#include "guest/worktree/worktree_impl.h"

namespace carrel::worktree {
namespace {

// A file that took the place of a link or a folder, and moves on, is not that link or folder renamed.
bool sameType(const Entry& entry, const Cover& cover) {
    const auto type = entry.kind == EntryKind::Directory ? EntryType::Directory
                      : entry.kind == EntryKind::Symlink ? EntryType::Symlink
                                                         : EntryType::File;
    return type == cover.type;
}

} // namespace

// What the entry's place covers stays there as a removal; null when it covered nothing.
Entry* WorktreeImpl::leaveBehind(Entry* entry, Entry* up, const std::string& name, Batch& batch) {
    const bool deep = entry->kind == EntryKind::Directory && !entry->fromLower;
    const bool covered = entry->cover.has_value();
    std::vector<Entry*> inner;
    if (deep || entry->kind != EntryKind::Directory) {
        for (const auto& [childName, child] : entry->children) {
            if (child->cover || (child->kind == EntryKind::Directory && !child->fromLower)) {
                inner.push_back(child);
            }
        }
    }
    if (!covered && inner.empty()) {
        return nullptr;
    }
    if (!covered) {
        return nullptr; // covers hang only beneath a covered folder
    }
    Entry* left = newEntry(up, name, EntryKind::Whiteout);
    left->cover = entry->cover;
    entry->cover.reset();
    touch(left, batch);
    for (Entry* child : inner) {
        if (child->kind == EntryKind::Whiteout) {
            place(child, left, std::string(child->name));
            batch.put.insert(child);
            continue;
        }
        Entry* stays = leaveBehind(child, left, child->name, batch);
        if (stays != nullptr && child->origin.empty() && child->kind != EntryKind::Directory &&
            stays->cover && sameType(*child, *stays->cover)) {
            setOrigin(child, *lowerPathOf(stays), stays->id, stays->cover);
        }
        batch.put.insert(child);
    }
    return left;
}

// The children of `from` that are removals go beneath `to`, where nothing stands in their place.
void WorktreeImpl::moveChildren(Entry* from, Entry* to, Batch& batch) {
    for (auto& [name, child] : std::map(from->children)) {
        if (child->kind != EntryKind::Whiteout) {
            continue;
        }
        const auto it = to->children.find(name);
        if (it == to->children.end()) {
            place(child, to, name);
            batch.put.insert(child);
        } else {
            takePlace(it->second, child, batch);
            touch(it->second, batch);
        }
    }
}

// `entry` stands where `former` did: it covers what that covered.
void WorktreeImpl::takePlace(Entry* entry, Entry* former, Batch& batch) {
    entry->cover = former->cover;
    moveChildren(former, entry, batch);
    if (Entry* away = renamedAwayFrom(former); away != nullptr && away != entry) {
        setOrigin(away, away->origin, entry->id, away->originBase);
        batch.put.insert(away);
    }
    mergeWithHost(entry);
}

void WorktreeImpl::mergeInto(Entry* entry, Entry* whiteout, Batch& batch) {
    takePlace(entry, whiteout, batch);
    dropEntry(whiteout, batch);
}

// Both places, where it comes from on the host, and everything staged in it.
bool WorktreeImpl::namesFit(const Place& from, const Node& dir, std::string_view name, const Node& newDir,
                            std::string_view newName) const {
    const auto length = pathLength(newDir, newName);
    if (from.entry != nullptr) {
        const auto origin = contentPath(from.entry);
        return (!origin || origin->size() <= kMaxPathBytes) && fitsBelow(*from.entry, length);
    }
    const auto origin = below(lowerPathOf(dir), name);
    return length <= kMaxPathBytes && fits(dir, name) && (!origin || origin->size() <= kMaxPathBytes);
}

// Back to where the host has it.
bool WorktreeImpl::goesHome(const Place& from, const Place& to) {
    return to.entry != nullptr && from.entry != nullptr && to.entry->id == from.entry->originPlace;
}

int WorktreeImpl::mayMove(const Place& from, const Place& to, Replace replace) {
    const bool home =
        goesHome(from, to) && (replace == Replace::Exchange || to.entry->kind == EntryKind::Whiteout);
    const bool covered = to.entry != nullptr ? to.entry->cover.has_value() : to.present;
    const bool merged = from.entry != nullptr ? from.entry->fromLower : true;
    if (from.folder && !home && covered && merged) {
        return EXDEV; // two of the host's folders in one place: programs copy instead
    }
    if (from.folder && !merged && from.entry->cover) {
        return EXDEV;
    }
    return 0;
}

// One entry to its new name, in memory; what is in the way there goes. Under m_state.
void WorktreeImpl::carry(const Move& move, Batch& batch) {
    const auto& [dir, name, newDir, newName, node, target, from, to, link] = move;
    const bool home = goesHome(from, to) && to.entry->kind == EntryKind::Whiteout;
    Entry* up = entryFor(newDir, batch);
    Entry* entry = adopt(node, batch);
    if (!link.empty()) {
        entry->kind = EntryKind::Symlink;
        entry->fromLower = false;
        entry->link = link;
        entry->mtimeNs = toNs(static_cast<std::int64_t>(from.lower->attr.mtime), from.lower->attr.mtimensec);
    }
    // What is in the way goes.
    Entry* whiteout = to.entry;
    if (target) {
        if (whiteout == nullptr) {
            whiteout = adopt(target, batch);
        }
        Entry* origin = originPlaceOf(whiteout);
        detach(*target, Node::Link::Gone);
        whiteout->object = 0;
        if (origin != nullptr) {
            if (to.folder && whiteout->fromLower) {
                moveChildren(whiteout, origin, batch);
            }
            clearOrigin(whiteout);
            mergeWithHost(origin);
            touch(origin, batch);
        }
        whiteout->kind = EntryKind::Whiteout;
        whiteout->fromLower = false;
    }
    Entry* oldUp = entry->up;
    const std::string oldName = entry->name;
    const auto oldPath = contentPath(entry);
    oldUp->children.erase(oldName);
    entry->up = nullptr;
    Entry* left = leaveBehind(entry, oldUp, oldName, batch);
    if (left != nullptr) {
        if (Entry* away = renamedAwayFrom(entry); away != nullptr) {
            setOrigin(away, away->origin, left->id, away->originBase);
            batch.put.insert(away);
        }
        const bool content =
            entry->kind == EntryKind::File || entry->kind == EntryKind::Symlink || entry->fromLower;
        if (entry->origin.empty() && content && oldPath && left->cover && sameType(*entry, *left->cover)) {
            setOrigin(entry, *oldPath, left->id, left->cover);
        }
    }
    if (whiteout != nullptr) {
        mergeInto(entry, whiteout, batch);
    }
    place(entry, up, newName);
    if (home) {
        clearOrigin(entry);
    }
    // The kernel moves its own names; ours follow.
    if (const auto it = dir->children.find(name); it != dir->children.end() && it->second == node.get()) {
        dir->children.erase(it);
    }
    node->parent = newDir;
    node->name = newName;
    if (const auto it = newDir->children.find(newName);
        it != newDir->children.end() && it->second != node.get()) {
        detach(*it->second, Node::Link::Gone);
    }
    newDir->children.insert_or_assign(node->name, node.get());
    touch(entry, batch);
    stampFolder(*dir);
    stampFolder(*newDir);
    dropIfUnused(*dir);
}

SysStatus WorktreeImpl::rename(NodeId parent, std::string_view name, NodeId newParent,
                               std::string_view newName, Replace replace) {
    if (m_options.access == Access::ReadOnly) {
        return sysFail(EROFS);
    }
    const std::lock_guard ops(m_ops);
    NodePtr dir;
    NodePtr newDir;
    {
        const std::lock_guard lock(m_state);
        dir = find(parent);
        newDir = find(newParent);
    }
    if (!dir || !newDir) {
        return sysFail(ESTALE);
    }
    const auto from = resolve(dir, name);
    if (!from) {
        return sysFail(from.error());
    }
    const auto to = resolve(newDir, newName);
    if (!to) {
        return sysFail(to.error());
    }
    if (!from->present) {
        return sysFail(ENOENT);
    }
    if (to->present && replace == Replace::No) {
        return sysFail(EEXIST);
    }
    if (dir == newDir && name == newName) {
        return {};
    }
    if (!to->present && replace == Replace::Exchange) {
        return sysFail(ENOENT);
    }
    std::string link;
    std::string targetLink;
    for (const auto& [place, text] : {std::pair{&*from, &link}, {&*to, &targetLink}}) {
        if (place->entry != nullptr || !place->lower || (place->lower->attr.mode & S_IFMT) != S_IFLNK) {
            continue;
        }
        if (place == &*to && replace != Replace::Exchange) {
            continue; // it only goes
        }
        auto got = m_lower->readlink(place->lower->id);
        if (!got) {
            return sysFail(got.error());
        }
        *text = std::move(*got);
    }
    NodePtr node;
    NodePtr target;
    {
        const std::lock_guard lock(m_state);
        node = materialise(dir, name, from->entry, from->lower);
        for (NodePtr up = newDir; up; up = up->parent) {
            if (up == node) {
                return sysFail(EINVAL); // into itself
            }
        }
        if (to->present) {
            if (from->folder != to->folder && replace != Replace::Exchange) {
                return sysFail(to->folder ? EISDIR : ENOTDIR);
            }
            target = materialise(newDir, newName, to->entry, to->lower);
        }
        for (NodePtr up = dir; up && replace == Replace::Exchange; up = up->parent) {
            if (up == target) {
                return sysFail(EINVAL);
            }
        }
    }
    if (target && to->folder && replace != Replace::Exchange) {
        const auto empty = isEmpty(target);
        if (!empty || !*empty) {
            return sysFail(empty ? ENOTEMPTY : empty.error());
        }
    }
    if (const int full = reserveFor(from->entry, to->entry); full != 0) {
        return sysFail(full);
    }
    const std::lock_guard lock(m_state);
    if (const int error = mayMove(*from, *to, replace); error != 0) {
        return sysFail(error);
    }
    if (!namesFit(*from, *dir, name, *newDir, newName)) {
        return sysFail(ENAMETOOLONG);
    }
    Batch batch;
    if (replace == Replace::Exchange) {
        if (const int error = mayMove(*to, *from, replace); error != 0) {
            return sysFail(error);
        }
        if (!namesFit(*to, *newDir, newName, *dir, name)) {
            return sysFail(ENAMETOOLONG);
        }
        // Three moves by way of a name that no program can use; nothing is recorded in between.
        constexpr std::string_view kAside = "/aside";
        const auto at = [](const NodePtr& folder, std::string_view what) {
            Place place;
            if (folder->entry != nullptr) {
                const auto it = folder->entry->children.find(what);
                place.entry = it == folder->entry->children.end() ? nullptr : it->second;
            }
            return place;
        };
        carry({dir, name, dir, kAside, node, nullptr, *from, {}, link}, batch);
        carry({newDir, newName, dir, name, target, nullptr, *to, at(dir, name), targetLink}, batch);
        carry({dir, kAside, newDir, newName, node, nullptr, at(dir, kAside), at(newDir, newName), {}}, batch);
    } else {
        carry({dir, name, newDir, newName, node, target, *from, *to, link}, batch);
    }
    if (const int error = commit(batch); error != 0) {
        return sysFail(error);
    }
    dropIfUnused(*node);
    return {};
}

} // namespace carrel::worktree
