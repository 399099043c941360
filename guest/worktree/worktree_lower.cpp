// SPDX-License-Identifier: Apache-2.0
// Asking the host, and holding what it answers with. No state lock is held meanwhile.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <utility>

namespace carrel::worktree {
namespace {

constexpr int kWalks = 3; // of a path in which the host replaces folders meanwhile

} // namespace

LowerNode::~LowerNode() {
    if (owner != nullptr) {
        {
            const std::lock_guard lock(owner->m_lowerMutex);
            if (const auto it = owner->m_lowerNodes.find(id);
                it != owner->m_lowerNodes.end() && it->second.expired()) {
                owner->m_lowerNodes.erase(it);
            }
        }
        owner->m_lower->forget(id, lookups);
    }
    // The folders above go after it and one after the other: within each other, a long path would need more
    // stack than a thread has.
    thread_local LowerRef* next = nullptr;
    if (next != nullptr) {
        *next = std::move(parent);
        return;
    }
    LowerRef above;
    next = &above;
    for (LowerRef going = std::move(parent); going; going = std::exchange(above, nullptr)) {
        going.reset(); // if it was the last one, ~LowerNode leaves its parent in `above`
    }
    next = nullptr;
}

// None: nobody holds it, so that there is no node for it either.
LowerRef WorktreeImpl::heldLower(std::uint64_t id) {
    const std::lock_guard lock(m_lowerMutex);
    const auto it = m_lowerNodes.find(id);
    return it == m_lowerNodes.end() ? nullptr : it->second.lock();
}

LowerRef WorktreeImpl::hold(const LowerEntry& entry, const LowerRef& folder) {
    LowerRef kept; // destroyed after the lock is released, should it turn out to be the last
    const std::lock_guard lock(m_lowerMutex);
    auto& slot = m_lowerNodes[entry.node];
    kept = slot.lock();
    if (!kept) {
        kept = std::make_shared<LowerNode>();
        kept->id = entry.node;
        kept->owner = this;
        kept->parent = folder;
        kept->folder = isFolderAttr(entry.attr);
        kept->attr = entry.attr;
        slot = kept;
    }
    ++kept->lookups;
    if (kept->folder) {
        kept->attr = entry.attr;
    }
    kept->entryValid = entry.entryValid;
    kept->attrValid = entry.attrValid;
    return kept;
}

SysResult<Found> WorktreeImpl::ask(const LowerRef& dir, std::string_view name) {
    const auto entry = m_lower->lookup(dir->id, name);
    if (!entry) {
        if (entry.error() == ENOENT || entry.error() == ENOTDIR) {
            return Found{nullptr, nanoseconds(0)};
        }
        return sysFail(entry.error());
    }
    if (entry->node == 0) {
        return Found{nullptr, entry->entryValid};
    }
    return Found{hold(*entry, dir), entry->entryValid};
}

// Nothing on the way is gone for good when the host says that it is: another folder may stand there by now.
SysResult<Found> WorktreeImpl::lowerAt(std::string_view path) {
    for (int walk = 0; walk < kWalks; ++walk) {
        auto found = walkTo(path);
        if (found || found.error() != ESTALE) {
            return found;
        }
    }
    return sysFail(ESTALE); // and not "no such name": that would be believed
}

SysResult<Found> WorktreeImpl::walkTo(std::string_view path) {
    Found at;
    {
        const std::lock_guard lock(m_state);
        at.ref = m_nodes.at(kRoot)->lower;
    }
    std::size_t begin = 0;
    while (begin < path.size() && at.ref) {
        const auto end = std::min(path.find('/', begin), path.size());
        auto next = ask(at.ref, path.substr(begin, end - begin));
        if (!next) {
            return next;
        }
        at = std::move(*next);
        begin = end + 1;
    }
    return at;
}

SysResult<Found> WorktreeImpl::lowerChild(const NodePtr& dir, std::string_view name) {
    LowerRef base;
    std::optional<std::string> path;
    {
        std::unique_lock lock(m_state);
        m_scout.waitForPage(dir, lock);
        base = dir->lower;
        path = lowerPathOf(*dir);
        if (path) {
            if (auto listed = takeListed(*dir, name)) {
                return std::move(*listed);
            }
        }
    }
    if (!path) {
        return Found{};
    }
    if (base) {
        auto found = ask(base, name);
        if (found && found->ref) {
            nameAsked(dir, base);
        }
        if (found || found.error() != ESTALE) {
            return found;
        }
    }
    // The host replaced the folder, or the union took this folder up after a start: walk to it.
    for (int walk = 0; walk < kWalks; ++walk) {
        auto again = lowerAt(*path);
        if (!again) {
            return again;
        }
        if (!again->ref || !again->ref->folder) {
            return Found{nullptr, again->valid};
        }
        {
            const std::lock_guard lock(m_state);
            setLower(*dir, again->ref);
        }
        auto found = ask(again->ref, name);
        if (found || found.error() != ESTALE) {
            return found;
        }
    }
    return sysFail(ESTALE);
}

// What the host has for a name of the union: at its own place, or where an entry was renamed from.
SysResult<LowerRef> WorktreeImpl::lowerOf(const NodePtr& dir, std::string_view name, const Entry* entry,
                                          const std::string& path, nanoseconds& valid) {
    auto found = entry != nullptr && !path.empty() ? lowerAt(path) : lowerChild(dir, name);
    if (!found) {
        return sysFail(found.error());
    }
    valid = found->valid;
    return found->ref;
}

SysResult<WorktreeImpl::Names> WorktreeImpl::lowerNames(const NodePtr& dir, LowerRef* from) {
    Names names;
    LowerRef base;
    std::optional<std::string> path;
    {
        const std::lock_guard lock(m_state);
        base = dir->lower;
        path = lowerPathOf(*dir);
    }
    if (!path) {
        return names;
    }
    for (int walk = 0; walk <= kWalks; ++walk) {
        if (!base) {
            auto found = lowerAt(*path);
            if (!found) {
                return sysFail(found.error());
            }
            if (!found->ref || !found->ref->folder) {
                return names;
            }
            base = found->ref;
            const std::lock_guard lock(m_state);
            setLower(*dir, base);
        }
        std::uint64_t cookie = 0;
        int error = 0;
        while (true) {
            auto page = m_lower->readdirplus(base->id, cookie);
            if (!page) {
                error = page.error();
                break;
            }
            for (auto& item : page->entries) {
                auto ref = item.entry.node != 0 ? hold(item.entry, base) : nullptr;
                if (isValidName(item.name)) {
                    names.insert_or_assign(std::move(item.name), std::move(ref));
                }
            }
            if (page->last || page->entries.empty()) {
                if (from != nullptr) {
                    *from = base;
                }
                return names;
            }
            cookie = page->entries.back().cookie;
        }
        if (error != ESTALE) {
            return sysFail(error);
        }
        names.clear();
        base = nullptr;
    }
    return sysFail(ESTALE); // an empty listing would be believed, and the folder removed
}

} // namespace carrel::worktree
