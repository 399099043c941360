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
    for (auto it = dir->listing().cookies.begin(); it != dir->listing().cookies.end();) {
        if (names->contains(it->first)) {
            ++it;
        } else {
            dir->listing().byCookie.erase(it->second);
            it = dir->listing().cookies.erase(it);
        }
    }
    for (const auto& [name, ref] : *names) {
        if (const auto [at, fresh] = dir->listing().cookies.try_emplace(name, dir->listing().nextCookie);
            fresh) {
            dir->listing().byCookie.emplace_hint(dir->listing().byCookie.end(), dir->listing().nextCookie++,
                                                 at->first);
        }
    }
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

// The next name, where the answer came with the listing. What has no room waits for the next page: it is not
// asked again.
WorktreeImpl::Given WorktreeImpl::giveListed(const NodePtr& dir, DirItem& item, std::uint64_t cookie,
                                             Plus plus, const Worktree::TakeItem& take) {
    const std::lock_guard lock(m_state);
    const auto next = dir->listing().byCookie.upper_bound(cookie);
    if (next == dir->listing().byCookie.end()) {
        return Given::End;
    }
    item.cookie = next->first;
    item.name = next->second;
    const auto known = dir->listing().listed.find(item.name);
    if (known == dir->listing().listed.end() ||
        (dir->entry != nullptr && dir->entry->children.contains(item.name))) {
        return Given::AskHost;
    }
    const auto node = materialise(dir, item.name, nullptr, known->second);
    auto given = answer(*node);
    // The kernel may keep it for as long as the answer had to live when it was made, not from now on.
    const nanoseconds age = std::chrono::steady_clock::now() - dir->listing().listedAt;
    given.entryValid = std::max(nanoseconds(0), given.entryValid - age);
    given.attrValid = std::max(nanoseconds(0), given.attrValid - age);
    const bool taken = giveItem(item, given, plus, take);
    if (taken) {
        node->lookups += plus == Plus::Yes ? 1 : 0;
        dir->listing().listed.erase(known);
    }
    dropIfUnused(*node);
    return taken ? Given::Taken : Given::NoRoom;
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
    for (bool any = false;;) {
        DirItem item;
        const Given given = giveListed(dir, item, cookie, plus, take);
        if (given == Given::End || given == Given::NoRoom) {
            return {};
        }
        cookie = item.cookie;
        if (given == Given::AskHost) {
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
        }
        any = true;
    }
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
    const std::lock_guard lock(m_state);
    std::optional<std::string> changed;
    const auto [first, end] = m_byLower.equal_range(parent);
    for (auto at = first; at != end; ++at) {
        Node* node = at->second;
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
    const std::lock_guard lock(m_state);
    const auto [first, end] = m_byLower.equal_range(lower);
    for (auto at = first; at != end; ++at) {
        if (isFolder(*at->second)) {
            spoilScouted(at->second->listing());
        }
        note(isFolder(*at->second) ? KernelNote::Kind::Listing : KernelNote::Kind::Attributes,
             at->second->id);
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
