// SPDX-License-Identifier: Apache-2.0
// Looking: names, attributes, listings, and what the host says of its own accord.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <fcntl.h>

namespace carrel::worktree {
namespace {

constexpr nanoseconds kAbsentValid = std::chrono::seconds(5);

} // namespace

SysResult<NodeEntry> WorktreeImpl::lookup(NodeId parent, std::string_view name) {
    if (!isValidName(name)) {
        return sysFail(name.size() > kMaxNameBytes ? ENAMETOOLONG : EINVAL);
    }
    for (int attempt = 0; attempt < 100; ++attempt) {
        NodePtr dir;
        Entry* entry = nullptr;
        std::uint64_t entryId = 0;
        std::string origin;
        bool wantsLower = true;
        {
            const std::lock_guard lock(m_state);
            dir = find(parent);
            if (!dir || !isFolder(*dir)) {
                return sysFail(dir ? ENOTDIR : ESTALE);
            }
            if (dir->entry != nullptr) {
                const auto it = dir->entry->children.find(name);
                entry = it == dir->entry->children.end() ? nullptr : it->second;
            }
            if (entry != nullptr) {
                entryId = entry->id;
                wantsLower = entry->fromLower;
                origin = entry->origin;
                if (entry->kind == EntryKind::Whiteout) {
                    return NodeEntry{0, {}, kDay, kDay};
                }
            }
            if (!wantsLower) {
                const auto node = materialise(dir, name, entry, nullptr);
                ++node->lookups;
                return answer(*node);
            }
        }
        nanoseconds valid = kDay;
        const auto lower = lowerOf(dir, name, entry, origin, valid);
        if (!lower) {
            return sysFail(lower.error());
        }
        const std::lock_guard lock(m_state);
        Entry* now = nullptr;
        if (dir->entry != nullptr) {
            const auto it = dir->entry->children.find(name);
            now = it == dir->entry->children.end() ? nullptr : it->second;
        }
        if (now != entry ||
            (now != nullptr && (now->id != entryId || now->origin != origin || !now->fromLower))) {
            continue; // it changed while we asked
        }
        LowerRef usable = *lower;
        if (entry != nullptr && usable &&
            isFolderAttr(usable->attr) != (entry->kind == EntryKind::Directory)) {
            usable = nullptr; // the host put something of another kind there
        }
        if (!usable && (entry == nullptr || entry->kind != EntryKind::Directory)) {
            if (const auto it = dir->children.find(name); it != dir->children.end()) {
                detach(*it->second, Node::Link::Superseded);
            }
            // No event takes it back when the host's news were too many, or another clerk came.
            valid = std::min(valid, kAbsentValid);
            return NodeEntry{0, {}, valid, valid};
        }
        const auto node = materialise(dir, name, entry, usable);
        ++node->lookups;
        auto out = answer(*node);
        out.entryValid = valid == nanoseconds(0) ? out.entryValid : std::min(valid, out.entryValid);
        return out;
    }
    return sysFail(EAGAIN);
}

void WorktreeImpl::forget(NodeId id, std::uint64_t lookups) {
    NodePtr kept;
    const std::lock_guard lock(m_state);
    kept = find(id);
    if (!kept || id == kRoot) {
        return;
    }
    kept->lookups -= std::min(lookups, kept->lookups);
    dropIfUnused(*kept);
}

SysResult<NodeEntry> WorktreeImpl::getattr(NodeId id) {
    NodePtr node;
    LowerRef lower;
    {
        const std::lock_guard lock(m_state);
        node = find(id);
        if (!node) {
            return sysFail(ESTALE);
        }
        if (!isFolder(*node) || !node->lower) {
            return answer(*node);
        }
        lower = node->lower;
    }
    // A file's attributes belong to its version and cannot change; a folder's can.
    const auto attr = m_lower->getattr(lower->id);
    const std::lock_guard lock(m_state);
    if (attr && isFolderAttr(*attr)) {
        const std::lock_guard inner(m_lowerMutex);
        lower->attr = *attr;
    }
    return answer(*node);
}

SysResult<std::string> WorktreeImpl::readlink(NodeId id) {
    LowerRef lower;
    {
        const std::lock_guard lock(m_state);
        const auto node = find(id);
        if (!node) {
            return sysFail(ESTALE);
        }
        const EntryRecord* record = node->entry != nullptr ? node->entry
                                    : node->orphan         ? &*node->orphan
                                                           : nullptr;
        if (record != nullptr && record->kind != EntryKind::Whiteout && !record->fromLower) {
            if (record->kind != EntryKind::Symlink) {
                return sysFail(EINVAL);
            }
            return record->link;
        }
        lower = node->lower;
    }
    return lower ? m_lower->readlink(lower->id) : sysFail(EINVAL);
}

SysResult<bool> WorktreeImpl::isEmpty(const NodePtr& dir) {
    auto names = lowerNames(dir);
    if (!names) {
        return sysFail(names.error());
    }
    const std::lock_guard lock(m_state);
    if (dir->entry != nullptr) {
        for (const auto& [name, child] : dir->entry->children) {
            if (child->kind != EntryKind::Whiteout) {
                if (!child->fromLower || child->kind == EntryKind::Directory || !child->origin.empty() ||
                    names->contains(name)) {
                    return false;
                }
            }
            names->erase(name);
        }
    }
    return names->empty();
}

// Under m_state. Who is in the midst of an earlier listing goes on from a cookie: what is there still keeps
// its place, what is new comes last.
void WorktreeImpl::keepPlaces(Listing& known, const Names& names) {
    std::erase_if(known.places, [&](const auto& place) { return !names.contains(place.name); });
    std::vector<std::string_view> kept;
    kept.reserve(known.places.size());
    for (const auto& place : known.places) {
        kept.push_back(place.name);
    }
    std::sort(kept.begin(), kept.end());
    std::vector<const std::string*> fresh;
    fresh.reserve(names.size() - kept.size());
    auto next = kept.begin();
    for (const auto& [name, ref] : names) { // by name, as `kept`, which has none but those
        if (next != kept.end() && *next == name) {
            ++next;
        } else {
            fresh.push_back(&name);
        }
    }
    known.places.reserve(names.size()); // not before: `kept` looks into it
    for (const auto* name : fresh) {
        known.places.push_back({known.nextCookie++, *name});
    }
}

// The names are read once per listing; later pages go on through them.
SysStatus WorktreeImpl::startListing(const NodePtr& dir) {
    const Fetch fetch(*this, dir);
    const auto began = std::chrono::steady_clock::now();
    auto scouted = m_scout.take(dir);
    LowerRef from;
    auto names = scouted ? SysResult<Names>(std::move(*scouted)) : lowerNames(dir, &from);
    if (!names) {
        return sysFail(names.error());
    }
    const std::lock_guard lock(m_state);
    m_scout.listed(*dir);
    if (dir->entry != nullptr) {
        for (const auto& [name, child] : dir->entry->children) {
            if (child->kind == EntryKind::Whiteout) {
                names->erase(name);
            } else {
                (*names)[name] = nullptr;
            }
        }
    }
    keepPlaces(dir->listing(), *names);
    std::erase_if(*names,
                  [&](const auto& known) { return known.second == nullptr || fetch.isOld(known.first); });
    if (!scouted && dir->lower != from) {
        names->clear(); // the names of a folder that is no longer this one: each is asked for anew
    }
    dir->listing().listed.swap(*names);
    dir->listing().listedAt = scouted ? dir->listing().foundAt : began;
    return {};
}

bool WorktreeImpl::giveItem(DirItem& item, const NodeEntry& entry, Plus plus,
                            const Worktree::TakeItem& take) {
    item.ino = entry.node;
    item.type = entry.attr.st_mode & S_IFMT;
    if (plus == Plus::Yes) {
        item.entry = entry;
    }
    return take(item);
}

// The next names, as long as the answers came with the listing: a page is full of them, so all under one
// lock. What has no room waits for the next page: it is not asked again. `item` is the last one that was
// looked at; `any`: one was taken.
WorktreeImpl::Given WorktreeImpl::giveListed(const NodePtr& dir, DirItem& item, bool& any, Plus plus,
                                             const Worktree::TakeItem& take) {
    const std::lock_guard lock(m_state);
    auto& listing = dir->listing();
    // The kernel may keep an answer for as long as it had to live when it was made, not from now on.
    const nanoseconds age = std::chrono::steady_clock::now() - listing.listedAt;
    auto next = std::upper_bound(listing.places.begin(), listing.places.end(), item.cookie,
                                 [](std::uint64_t after, const auto& place) { return after < place.cookie; });
    for (; next != listing.places.end(); ++next) {
        item.cookie = next->cookie;
        item.name = next->name;
        auto known =
            listing.listed.begin(); // as a rule: they are used in the order in which they stand there
        if (known != listing.listed.end() && known->first != item.name) {
            known = listing.listed.find(item.name);
        }
        if (known == listing.listed.end() ||
            (dir->entry != nullptr && dir->entry->children.contains(item.name))) {
            return Given::AskHost;
        }
        const auto node = materialise(dir, item.name, nullptr, known->second);
        auto given = answer(*node);
        given.entryValid = std::max(nanoseconds(0), given.entryValid - age);
        given.attrValid = std::max(nanoseconds(0), given.attrValid - age);
        const bool taken = giveItem(item, given, plus, take);
        if (taken) {
            node->lookups += plus == Plus::Yes ? 1 : 0;
            listing.listed.erase(known);
        }
        dropIfUnused(*node);
        if (!taken) {
            return Given::NoRoom;
        }
        any = true;
    }
    return Given::End;
}

SysStatus WorktreeImpl::readdir(NodeId id, std::uint64_t cookie, Plus plus, const Worktree::TakeItem& take) {
    NodePtr dir;
    {
        const std::lock_guard lock(m_state);
        dir = find(id);
        if (!dir || !isFolder(*dir)) {
            return sysFail(dir ? ENOTDIR : ESTALE);
        }
    }
    if (cookie == 0) {
        if (auto started = startListing(dir); !started) {
            return started;
        }
    }
    DirItem item;
    item.cookie = cookie;
    for (bool any = false; giveListed(dir, item, any, plus, take) == Given::AskHost;) {
        const auto asked = lookup(id, item.name);
        if (!asked) {
            if (asked.error() == ESTALE && any) {
                return {}; // the next page says so
            }
            if ((asked.error() == EIO || asked.error() == ESTALE) && !any) {
                return sysFail(asked.error());
            }
            continue;
        }
        if (asked->node == 0) {
            continue;
        }
        const bool taken = giveItem(item, *asked, plus, take);
        if (!taken || plus == Plus::No) {
            forget(asked->node, 1);
        }
        if (!taken) {
            return {};
        }
        any = true;
    }
    return {};
}

SysResult<struct statvfs> WorktreeImpl::statfs() {
    struct statvfs out {};
    if (::fstatvfs(m_store->dirFd(), &out) != 0) {
        return sysFail(errno);
    }
    return out;
}

bool WorktreeImpl::mustForget(NodeId parent, std::string_view name) {
    NodeId before = 0;
    {
        const std::lock_guard lock(m_state);
        const auto dir = find(parent);
        if (!dir) {
            return false; // the kernel knows no such folder
        }
        const auto it = dir->children.find(name);
        if (it == dir->children.end() || !isFolder(*it->second)) {
            return true;
        }
        before = it->second->id;
    }
    const auto now = lookup(parent, name);
    if (!now || now->node == 0) {
        return true;
    }
    forget(now->node, 1);
    return now->node != before;
}

void WorktreeImpl::note(KernelNote::Kind kind, NodeId node, std::string_view name, bool folder, bool byHost) {
    const std::lock_guard lock(m_sinkMutex);
    if (m_sink) {
        m_sink({kind, node, std::string(name), folder, byHost});
    }
}

void WorktreeImpl::entryChanged(std::uint64_t parent, std::string_view name) {
    LowerRef folder; // let go of after the lock
    const std::lock_guard lock(m_state);
    folder = heldLower(parent);
    std::optional<std::string> changed;
    for (Node* node = folder ? folder->nodes : nullptr; node != nullptr; node = node->alsoOfLower) {
        if (isFolder(*node)) {
            const auto child = node->children.find(name);
            note(KernelNote::Kind::Entry, node->id, name,
                 child != node->children.end() && isFolder(*child->second), true);
            note(KernelNote::Kind::Listing, node->id, {}, false, true);
            markChanged(*node, name);
            changed = below(lowerPathOf(*node), name);
            if (child != node->children.end() && child->second->entry != nullptr) {
                doubt(*child->second->entry);
            }
        }
    }
    if (changed) { // what was renamed from there shows the host's content elsewhere
        const auto [from, to] = m_byOrigin.equal_range(*changed);
        for (auto at = from; at != to; ++at) {
            ++m_steps;
            const Entry& entry = *at->second;
            if (entry.node != nullptr && entry.node->parent) {
                note(KernelNote::Kind::Entry, entry.node->parent->id, entry.name);
            }
        }
    }
}

void WorktreeImpl::nodeChanged(std::uint64_t lower) {
    LowerRef changed; // let go of after the lock
    const std::lock_guard lock(m_state);
    changed = heldLower(lower);
    for (Node* node = changed ? changed->nodes : nullptr; node != nullptr; node = node->alsoOfLower) {
        if (isFolder(*node)) {
            spoilScouted(node->listing());
        }
        note(isFolder(*node) ? KernelNote::Kind::Listing : KernelNote::Kind::Attributes, node->id);
    }
}

void WorktreeImpl::everythingChanged() {
    const std::lock_guard lock(m_state);
    for (const auto& [id, node] : m_nodes) {
        if (isFolder(*node)) {
            forgetListed(*node);
        } else if (node->entry != nullptr) {
            doubt(*node->entry);
        }
    }
    note(KernelNote::Kind::Everything, 0, {}, false, true);
}

std::vector<NodeId> WorktreeImpl::known() {
    const std::lock_guard lock(m_state);
    std::vector<NodeId> all;
    std::vector<NodeId> folders;
    all.reserve(m_nodes.size());
    for (const auto& [id, node] : m_nodes) {
        (isFolder(*node) ? folders : all).push_back(id);
    }
    all.insert(all.end(), folders.begin(), folders.end());
    return all;
}

std::vector<KernelNote> WorktreeImpl::notesOf(NodeId id) {
    const std::lock_guard lock(m_state);
    std::vector<KernelNote> notes;
    if (const auto node = find(id)) {
        const bool folder = isFolder(*node);
        if (node->parent && node->link == Node::Link::Here &&
            (node->entry == nullptr || node->entry->fromLower)) {
            notes.push_back({KernelNote::Kind::Entry, node->parent->id, node->name, folder});
        }
        if (folder) {
            notes.push_back({KernelNote::Kind::Listing, id, {}, false});
        }
    }
    return notes;
}

} // namespace carrel::worktree
