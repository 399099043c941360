// SPDX-License-Identifier: Apache-2.0
#include "app/files/move_order.h"

#include "app/files/folder_moves.h"

#include <algorithm>

namespace carrel::files {

namespace {

bool isRename(const FrozenEntry& entry) {
    return entry.kind == ChangeKind::Renamed;
}
bool isFolderRename(const FrozenEntry& entry) {
    return isRename(entry) && entry.base.kind == NodeKind::Directory;
}

template <class Map> const FrozenEntry* nearestAbove(const Map& map, const SharePath& path) {
    for (SharePath above = path.parent(); !above.isRoot(); above = above.parent()) {
        if (const auto found = map.find(above); found != map.end()) {
            return found->second;
        }
    }
    return nullptr;
}

} // namespace

MoveOrder::MoveOrder(std::span<const FrozenEntry* const> entries)
    : m_entries(entries.begin(), entries.end()) {
    // So that what depends on nothing comes from the top down.
    std::sort(m_entries.begin(), m_entries.end(), [](const auto* a, const auto* b) {
        const auto depthA = a->path.components().size();
        const auto depthB = b->path.components().size();
        return depthA != depthB ? depthA < depthB : a->path < b->path;
    });
    for (const auto* entry : m_entries) {
        m_byPath.emplace(entry->path, entry);
        if (isFolderRename(*entry)) {
            m_folders.emplace(*entry->from, entry);
        }
    }
    for (const auto* entry : m_entries) {
        if (isRename(*entry)) {
            m_standing.emplace(place(*entry, m_folders), entry);
        }
    }
}

// Where it stands when those of `moved` above it have moved. What is no folder is told by that name already.
SharePath MoveOrder::place(const FrozenEntry& entry, const std::map<SharePath, const FrozenEntry*>& moved) const {
    const FrozenEntry* above = isFolderRename(entry) ? nearestAbove(moved, *entry.from) : nullptr;
    return above == nullptr ? *entry.from : rebased(*entry.from, *above->from, above->path);
}

MoveOrder::Visit MoveOrder::visit(const FrozenEntry* entry) const {
    Visit visit{entry, {}, 0, nullptr};
    if (const auto* above = nearestAbove(m_byPath, entry->path)) {
        visit.before.push_back(above);
    }
    if (isRename(*entry) && !isFolderRename(*entry)) { // its name of now is one after the renames of folders
        if (const auto* above = nearestAbove(m_byPath, *entry->from); above != nullptr && isFolderRename(*above)) {
            visit.before.push_back(above);
        }
    }
    if (const auto found = m_standing.find(entry->path); found != m_standing.end() && found->second != entry) {
        visit.occupant = found->second;
    }
    return visit;
}

// The stack from `first` on, if each waits for the next one's place and for nothing else.
void MoveOrder::findRing(std::span<const Visit> stack, const FrozenEntry* first) {
    auto begin = std::find_if(stack.begin(), stack.end(), [&](const Visit& v) { return v.entry == first; });
    std::vector<const FrozenEntry*> ring;
    for (auto at = begin; at != stack.end(); ++at) {
        const auto* next = std::next(at) == stack.end() ? first : std::next(at)->entry;
        if (at->occupant != next || !isRename(*at->entry)) {
            return;
        }
        ring.push_back(at->entry);
    }
    for (const auto* entry : ring) {
        m_ringOf[entry] = first;
    }
    m_rings[first] = std::move(ring);
}

void MoveOrder::finish(const Visit& visit) {
    const FrozenEntry* entry = visit.entry;
    if (std::any_of(visit.before.begin(), visit.before.end(),
                    [&](const auto* other) { return m_states[other] == State::Waiting; })) {
        m_tangled.insert(entry);
    }
    m_states[entry] = State::Done;
    const auto ringOf = m_ringOf.find(entry);
    if (ringOf != m_ringOf.end() && ringOf->second != entry) {
        return; // goes with the one that it waited for
    }
    MoveStep step;
    step.entries = ringOf == m_ringOf.end() ? std::vector{entry} : m_rings[entry];
    for (const auto* each : step.entries) {
        if (isRename(*each)) {
            step.from.push_back(place(*each, m_moved));
        }
    }
    step.tangled = std::any_of(step.entries.begin(), step.entries.end(),
                               [&](const auto* each) { return m_tangled.contains(each); });
    for (const auto* each : step.entries) {
        if (isFolderRename(*each) && !step.tangled) {
            m_moved.emplace(*each->from, each);
        }
    }
    m_steps.push_back(std::move(step));
}

// Depth first, without recursion: a report can chain a hundred thousand renames.
std::vector<MoveStep> MoveOrder::steps() {
    for (const auto* root : m_entries) {
        std::vector<Visit> stack;
        const auto enter = [&](const FrozenEntry* entry) {
            if (m_states.try_emplace(entry, State::Waiting).second) {
                stack.push_back(visit(entry));
                return true;
            }
            return false;
        };
        enter(root);
        while (!stack.empty()) {
            if (stack.back().looked < stack.back().before.size()) {
                enter(stack.back().before[stack.back().looked++]);
                continue;
            }
            const auto* occupant = stack.back().occupant;
            if (occupant != nullptr && enter(occupant)) {
                continue;
            }
            if (occupant != nullptr && m_states[occupant] == State::Waiting && !m_ringOf.contains(stack.back().entry)) {
                findRing(stack, occupant);
            }
            const Visit done = std::move(stack.back());
            stack.pop_back();
            finish(done);
        }
    }
    return std::move(m_steps);
}

} // namespace carrel::files
