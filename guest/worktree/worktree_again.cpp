// SPDX-License-Identifier: Apache-2.0
// Staged files whose bytes are again those that they were made from: no change, not listed, and so never
// decided on. As long as the host's file is that very one, it is all the same which of the two shows. Once
// the host has another, ours would hide it for good: then it goes.
#include "guest/worktree/worktree_impl.h"

namespace carrel::worktree {
namespace {

constexpr std::size_t kAtOnce = 100; // each may be kMaxHashBytes long, and the disk is the agent's

} // namespace

// The host may have another version by now, or soon have one without telling: its folder is watched only
// while the kernel knows it.
void WorktreeImpl::doubt(Entry& entry) {
    if (entry.kind == EntryKind::File && entry.object != 0 && entry.origin.empty() && entry.cover &&
        entry.cover->type == EntryType::File && entry.cover->sha256) {
        entry.doubted = true;
        m_doubted.emplace(entry.id, entry.generation);
    }
}

// Now and then. With no lock held: it hashes, and asks the host. Each time it goes on behind the one that it ended
// with: what cannot be decided keeps nothing else waiting.
void WorktreeImpl::giveBack() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> wanted;
    {
        const std::lock_guard lock(m_state);
        auto at = m_doubted.upper_bound(m_lastDoubted);
        for (auto left = m_doubted.size(); left > 0 && wanted.size() < kAtOnce; --left) {
            if (at == m_doubted.end()) {
                at = m_doubted.begin();
            }
            const auto found = m_entries.find(at->first);
            if (found == m_entries.end()) {
                at = m_doubted.erase(at);
                continue;
            }
            // What is being written to is looked at when it is at rest.
            const std::uint64_t now = found->second->generation;
            if (std::exchange(at->second, now) == now) {
                wanted.emplace_back(at->first, now);
            }
            ++at;
        }
    }
    for (const auto& [id, generation] : wanted) {
        m_lastDoubted = id;
        // Nobody at the door: the next one, too, would be waited for in vain.
        if (m_ends || giveBackOne(id, generation) == Host::Silent) {
            return;
        }
    }
}

WorktreeImpl::Host WorktreeImpl::giveBackOne(std::uint64_t id, std::uint64_t generation) {
    const auto entryNow = [&]() -> Entry* {
        const auto it = m_entries.find(id);
        return it == m_entries.end() || it->second->generation != generation ? nullptr : it->second.get();
    };
    bool looks = false;
    {
        const std::lock_guard lock(m_state);
        const Entry* entry = entryNow();
        looks = entry != nullptr && wantsHash(entry);
    }
    if (looks) {
        hashOne(id, generation);
    }
    std::optional<std::string> path;
    std::optional<SharePath> name;
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        const Entry* entry = entryNow();
        if (entry == nullptr) {
            return Host::Answers;
        }
        path = contentPath(entry);
        auto parsed = SharePath::parse(pathOf(entry));
        if (!entry->origin.empty() || !sameContent(entry) || entry->mode != entry->cover->mode || !path || !parsed) {
            m_doubted.erase(id); // a change, and told as one, until there is other work on it (touch, wrote)
            return Host::Answers;
        }
        name = std::move(*parsed);
        node = entry->node != nullptr ? find(entry->node->id) : nullptr;
    }
    const auto host = lowerAt(*path); // before m_ops: nobody may be at the door, for long
    if (!host) {
        return Host::Silent;
    }
    const std::lock_guard ops(m_ops);
    std::unique_lock<std::shared_mutex> io;
    if (node) {
        io = std::unique_lock(node->io); // no write is half done
    }
    if (reserveAt(*name) != 0) {
        return Host::Answers;
    }
    const std::lock_guard lock(m_state);
    Entry* entry = entryNow();
    if (entry == nullptr || contentPath(entry) != path ||
        (entry->node != nullptr && entry->node != node.get())) {
        return Host::Answers;
    }
    m_doubted.erase(id);
    if (host->ref && coverOf(host->ref->attr).version == entry->cover->version) {
        return Host::Answers; // nothing is hidden
    }
    Batch batch;
    Entry* up = entry->up;
    forgetEntry(entry, batch); // also where size and time are the same: the kernel may have pages of ours
    prune(up, batch);
    (void)commit(batch);
    return Host::Answers;
}

} // namespace carrel::worktree
