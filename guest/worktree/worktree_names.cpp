// SPDX-License-Identifier: Apache-2.0
// Making and removing names.
#include "guest/worktree/worktree_impl.h"

#include <fcntl.h>

namespace carrel::worktree {

SysResult<WorktreeImpl::Place> WorktreeImpl::resolve(const NodePtr& dir, std::string_view name) {
    if (!isValidName(name)) {
        return sysFail(name.size() > kMaxNameBytes ? ENAMETOOLONG : EINVAL);
    }
    Place place;
    std::string origin;
    {
        const std::lock_guard lock(m_state);
        if (!isFolder(*dir)) {
            return sysFail(ENOTDIR);
        }
        if (dir->link != Node::Link::Here) {
            return sysFail(ENOENT); // a removed folder takes nothing in
        }
        if (!isGrounded(*dir)) {
            return sysFail(ESTALE);
        }
        if (dir->entry != nullptr) {
            const auto it = dir->entry->children.find(name);
            place.entry = it == dir->entry->children.end() ? nullptr : it->second;
        }
        if (place.entry != nullptr) {
            place.folder = place.entry->kind == EntryKind::Directory;
            place.present = place.entry->kind != EntryKind::Whiteout;
            origin = place.entry->origin;
            if (!place.entry->fromLower) {
                return place;
            }
        }
    }
    nanoseconds valid{};
    auto lower = lowerOf(dir, name, place.entry, origin, valid);
    if (!lower) {
        return sysFail(lower.error());
    }
    place.lower = std::move(*lower);
    if (place.entry != nullptr) {
        if (place.lower && place.lower->folder != place.folder) {
            place.lower = nullptr;
        }
        place.present = place.folder || place.lower != nullptr;
    } else {
        place.present = place.lower != nullptr;
        place.folder = place.lower && place.lower->folder;
    }
    return place;
}

SysResult<NodeEntry> WorktreeImpl::make(NodeId parent, std::string_view name, const Birth& birth) {
    if (m_options.access == Access::ReadOnly) {
        return sysFail(EROFS);
    }
    const std::lock_guard ops(m_ops);
    NodePtr dir;
    {
        const std::lock_guard lock(m_state);
        dir = find(parent);
    }
    if (!dir) {
        return sysFail(ESTALE);
    }
    const auto place = resolve(dir, name);
    if (!place) {
        return sysFail(place.error());
    }
    if (place->present) {
        return sysFail(EEXIST);
    }
    if (const int full = m_store->reserve(); full != 0) {
        return sysFail(full);
    }
    const std::lock_guard lock(m_state);
    if (!fits(*dir, name)) {
        return sysFail(ENAMETOOLONG);
    }
    std::uint64_t object = 0;
    if (birth.kind == EntryKind::File) {
        object = nextId();
        if (const int error = m_store->createObject(object); error != 0) {
            return sysFail(error);
        }
    }
    Batch batch;
    Entry* up = entryFor(dir, batch);
    // What was removed here is changed in place: what it covers, and what was removed beneath it, stays
    // known.
    Entry* entry = place->entry != nullptr ? place->entry : newEntry(up, name, birth.kind);
    entry->kind = birth.kind;
    entry->mode = birth.mode & 07777U;
    entry->uid = birth.caller.uid;
    entry->gid = birth.caller.gid;
    entry->link = birth.link;
    entry->object = object;
    clearOrigin(entry);
    entry->fromLower = false;
    entry->mtimeNs.reset();
    if (object == 0) {
        entry->mtimeNs = nowNs();
    }
    mergeWithHost(entry);
    if (const auto it = dir->children.find(name); it != dir->children.end()) {
        detach(*it->second, Node::Link::Superseded);
    }
    touch(entry, batch);
    stampFolder(*dir);
    if (const int error = commit(batch); error != 0) {
        return sysFail(error);
    }
    const auto node = materialise(dir, name, entry, nullptr);
    ++node->lookups;
    return answer(*node);
}

SysStatus WorktreeImpl::remove(NodeId parent, std::string_view name, Remove what) {
    if (m_options.access == Access::ReadOnly) {
        return sysFail(EROFS);
    }
    const std::lock_guard ops(m_ops);
    NodePtr dir;
    {
        const std::lock_guard lock(m_state);
        dir = find(parent);
    }
    if (!dir) {
        return sysFail(ESTALE);
    }
    const auto place = resolve(dir, name);
    if (!place) {
        return sysFail(place.error());
    }
    if (!place->present) {
        return sysFail(ENOENT);
    }
    if (place->folder != (what == Remove::Folder)) {
        return sysFail(place->folder ? EISDIR : ENOTDIR);
    }
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        node = materialise(dir, name, place->entry, place->lower);
    }
    if (what == Remove::Folder) {
        const auto empty = isEmpty(node);
        if (!empty || !*empty) {
            return sysFail(empty ? ENOTEMPTY : empty.error());
        }
    }
    if (const int full = reserveFor(place->entry); full != 0) {
        return sysFail(full);
    }
    const std::lock_guard lock(m_state);
    if (place->entry == nullptr && !fits(*dir, name)) {
        return sysFail(ENAMETOOLONG); // the host's, and too deep for a removal to be told
    }
    Batch batch;
    Entry* entry = place->entry != nullptr ? place->entry : adopt(node, batch);
    Entry* origin = originPlaceOf(entry);
    detach(*node, Node::Link::Gone); // its bytes live on as long as somebody has it open
    entry->object = 0;
    if (origin != nullptr && what == Remove::Folder && entry->fromLower) {
        moveChildren(entry, origin, batch); // what was removed in it was removed from where it came from
    }
    if (entry->cover) {
        entry->kind = EntryKind::Whiteout;
        entry->fromLower = false;
        entry->link.clear();
        entry->mtimeNs.reset();
        clearOrigin(entry);
        touch(entry, batch);
    } else {
        dropEntry(entry, batch);
    }
    if (origin != nullptr) {
        mergeWithHost(origin);
        touch(origin, batch); // no longer half of a rename: it is a removal now
    }
    stampFolder(*dir);
    if (const int error = commit(batch); error != 0) {
        return sysFail(error);
    }
    return {};
}

} // namespace carrel::worktree
