// SPDX-License-Identifier: Apache-2.0
// In which order folders are made and things are renamed. Each step finds its new folder there, its new name free, and what
// it moves where the steps before have left it. Where names change places in a ring, no order does: the ring is one step.
// Where one waits to go into a folder that waits, perhaps over others, for that one's own place, there is no order either,
// and no exchange that helps: it is tangled, and must be left alone. Done anyway, it would go into the folder that stands
// there now, and away with it.
// Internal to app/files. Thread: value.
#pragma once

#include "app/files/frozen_set.h"

#include <map>
#include <set>
#include <span>
#include <vector>

namespace carrel::files {

struct MoveStep {
    // One entry; or a ring: each goes where the next one stands, and the last where the first does.
    std::vector<const FrozenEntry*> entries;
    // Of renames: where each stands when this step is due.
    std::vector<SharePath> from;
    bool tangled = false;
};

class MoveOrder {
public:
    // New folders, and renames of any kind, that will be carried out. Borrowed.
    explicit MoveOrder(std::span<const FrozenEntry* const> entries);
    [[nodiscard]] std::vector<MoveStep> steps();

private:
    struct Visit {
        const FrozenEntry* entry = nullptr;
        std::vector<const FrozenEntry*> before; // what comes first
        std::size_t looked = 0;                 // so many of them were looked at
        const FrozenEntry* occupant = nullptr;  // what stands at its new name; looked at last
    };
    [[nodiscard]] Visit visit(const FrozenEntry* entry) const;
    [[nodiscard]] SharePath place(const FrozenEntry& entry, const std::map<SharePath, const FrozenEntry*>& moved) const;
    void findRing(std::span<const Visit> stack, const FrozenEntry* first);
    void finish(const Visit& visit);

    enum class State { Waiting, Done };
    std::vector<const FrozenEntry*> m_entries;
    std::map<SharePath, const FrozenEntry*> m_byPath;
    std::map<SharePath, const FrozenEntry*> m_folders;  // renamed ones, by where they stand today
    std::map<SharePath, const FrozenEntry*> m_standing; // renamed things, by where they stand but for their own rename
    std::map<const FrozenEntry*, State> m_states;
    std::set<const FrozenEntry*> m_tangled;
    std::map<const FrozenEntry*, std::vector<const FrozenEntry*>> m_rings; // by the entry that ends the ring's wait
    std::map<const FrozenEntry*, const FrozenEntry*> m_ringOf;             // and back
    std::map<SharePath, const FrozenEntry*> m_moved;                       // m_folders, as far as they are done
    std::vector<MoveStep> m_steps;
};

} // namespace carrel::files
