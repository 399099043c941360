// SPDX-License-Identifier: Apache-2.0
#include "app/files/planner.h"

#include "app/files/folder_moves.h"

#include <algorithm>
#include <map>

namespace carrel::files {

namespace {

bool isPlain(NodeKind kind) {
    return kind == NodeKind::File || kind == NodeKind::Symlink;
}

bool isNewFolder(const FrozenEntry& entry) {
    return entry.kind != ChangeKind::Renamed && entry.wanted.kind == NodeKind::Directory &&
           entry.base.kind != NodeKind::Directory;
}
bool isFolderRename(const FrozenEntry& entry) {
    return entry.kind == ChangeKind::Renamed && entry.base.kind == NodeKind::Directory;
}

Op put(const FrozenEntry& entry, const NodeState& expect) {
    return {OpKind::Put, entry.path, {}, expect, entry.wanted, Xattrs::Keep, {}, {}};
}
Op removal(const SharePath& path, const NodeState& expect) {
    return {OpKind::Remove, path, {}, expect, {}, Xattrs::Keep, {}, {}};
}
Op mode(const SharePath& path, const NodeState& expect, const NodeState& want) {
    return {OpKind::Mode, path, {}, expect, want, Xattrs::Keep, {}, {}};
}

std::vector<Op> renameOps(const FrozenEntry& entry) {
    const bool replaces = entry.target.kind != NodeKind::Absent;
    if (entry.contentChanged || replaces) {
        // Two names, so two steps: the new one first, that nothing is ever missing.
        Op first = put(entry, entry.target);
        if (!replaces && entry.base.kind == NodeKind::File && entry.wanted.kind == NodeKind::File) {
            first.from = entry.from;
        }
        return {first, removal(*entry.from, entry.base)};
    }
    std::vector<Op> ops{{OpKind::Move, entry.path, entry.from, entry.base, entry.base, Xattrs::Keep, {}, {}}};
    if (entry.base.kind != NodeKind::Symlink && entry.base.mode != entry.wanted.mode) {
        ops.push_back(mode(entry.path, entry.base, entry.wanted));
    }
    return ops;
}

std::vector<Op> opsFor(const FrozenEntry& entry) {
    if (entry.kind == ChangeKind::Renamed) {
        return renameOps(entry);
    }
    if (entry.wanted.kind == NodeKind::Absent) {
        return {removal(entry.path, entry.base)};
    }
    const bool sameKind = entry.base.kind == entry.wanted.kind;
    if (sameKind && (entry.wanted.kind == NodeKind::Directory ||
                     (entry.wanted.kind == NodeKind::File && !entry.contentChanged))) {
        return {mode(entry.path, entry.base, entry.wanted)};
    }
    if (entry.base.kind == NodeKind::Absent || (isPlain(entry.base.kind) && isPlain(entry.wanted.kind))) {
        return {put(entry, entry.base)};
    }
    return {removal(entry.path, entry.base), put(entry, {})}; // a folder becomes a file, or a file a folder
}

PlanEntry planOne(const FrozenEntry& entry, IfFlagged ifFlagged) {
    PlanEntry planned{entry.path, entry.generation, {}, {}};
    const bool mayReplace =
        ifFlagged == IfFlagged::Replace &&
        (entry.conflict == ConflictKind::Changed || entry.conflict == ConflictKind::Appeared) &&
        isPlain(entry.base.kind) && (entry.target.kind == NodeKind::Absent || isPlain(entry.target.kind)) &&
        // A rename onto something needs the bytes of what it moves.
        (entry.target.kind == NodeKind::Absent || entry.contentChanged || entry.baseKept ||
         entry.base.kind == NodeKind::Symlink);
    if (entry.conflict != ConflictKind::None && !mayReplace) {
        planned.blocked = entry.conflictReason;
        return planned;
    }
    planned.ops = opsFor(entry);
    return planned;
}

// See applier.h for the order.
int rank(const FrozenEntry& entry) {
    if (isFolderRename(entry)) {
        return 0;
    }
    if (isNewFolder(entry)) {
        return 1;
    }
    if (entry.kind == ChangeKind::Renamed) {
        return 2;
    }
    if (entry.wanted.kind == NodeKind::Absent ||
        (entry.base.kind == NodeKind::Directory && entry.wanted.kind != NodeKind::Directory)) {
        return 4;
    }
    return entry.wanted.kind == NodeKind::Directory ? 5 : 3;
}

bool comesBefore(const FrozenEntry* a, const FrozenEntry* b) {
    const int rankA = rank(*a);
    const int rankB = rank(*b);
    if (rankA != rankB) {
        return rankA < rankB;
    }
    const auto depthA = a->path.components().size();
    const auto depthB = b->path.components().size();
    if (depthA != depthB) {
        return rankA >= 4 ? depthA > depthB : depthA < depthB; // deletions and modes from the bottom up
    }
    return a->path < b->path;
}

// a → b before x → a: a rename waits for the one that vacates its new name. What is left in a ring stays as
// it is and will conflict.
void orderRenames(std::vector<const FrozenEntry*>& ordered) {
    const auto first =
        std::find_if(ordered.begin(), ordered.end(), [](const auto* e) { return rank(*e) == 2; });
    const auto last = std::find_if(first, ordered.end(), [](const auto* e) { return rank(*e) != 2; });
    std::map<SharePath, const FrozenEntry*> byFrom;
    for (auto at = first; at != last; ++at) {
        byFrom[*(*at)->from] = *at;
    }
    std::vector<const FrozenEntry*> result;
    std::set<const FrozenEntry*> placed;
    for (auto at = first; at != last; ++at) {
        std::vector<const FrozenEntry*> chain;
        for (const FrozenEntry* entry = *at; entry != nullptr && placed.insert(entry).second;) {
            chain.push_back(entry);
            const auto next = byFrom.find(entry->path);
            entry = next == byFrom.end() ? nullptr : next->second;
        }
        result.insert(result.end(), chain.rbegin(), chain.rend());
    }
    std::copy(result.begin(), result.end(), first);
}

std::optional<FolderTime> timeBack(std::optional<std::int64_t> after, std::optional<std::int64_t> before) {
    if (!after || !before) {
        return std::nullopt;
    }
    return FolderTime{*after, *before};
}

Op reversed(const Op& op, const OpRecord& record) {
    Op back;
    back.path = op.path;
    back.attributes = Xattrs::Exact;
    back.expect = op.want;
    back.want = record.old;
    back.folder = timeBack(record.folderAfter, record.folderBefore);
    back.fromFolder = timeBack(record.fromFolderAfter, record.fromFolderBefore);
    switch (op.kind) {
    case OpKind::Put:
        back.kind = record.old.kind == NodeKind::Absent ? OpKind::Remove : OpKind::Put;
        break;
    case OpKind::Remove:
        back.kind = OpKind::Put;
        back.expect = {};
        break;
    case OpKind::Move:
        back.kind = OpKind::Move;
        back.path = *op.from;
        back.from = op.path;
        back.expect = record.old;
        std::swap(back.folder, back.fromFolder);
        break;
    case OpKind::Mode:
        back.kind = OpKind::Mode;
        break;
    }
    return back;
}

// Folder moves of the journal that an earlier undo took back. What stands of the operations after them is named by where
// it was then.
std::vector<std::pair<OpIndex, const Op*>> movesTakenBack(const Journal& journal, const std::set<OpIndex>& standing) {
    std::vector<std::pair<OpIndex, const Op*>> moves;
    for (std::size_t e = 0; e < journal.entries().size(); ++e) {
        const auto& ops = journal.plan().entries[e].ops;
        for (std::size_t o = 0; o < ops.size(); ++o) {
            const bool folder = ops[o].kind == OpKind::Move && ops[o].expect.kind == NodeKind::Directory;
            if (folder && journal.record(e, o).done && !standing.contains({e, o})) {
                moves.emplace_back(OpIndex{e, o}, &ops[o]);
            }
        }
    }
    return moves;
}

void followBack(std::span<const std::pair<OpIndex, const Op*>> moves, const OpIndex& index, SharePath& path) {
    for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
        const Op& op = *move->second;
        if (move->first < index && (path == op.path || op.path.contains(path))) {
            path = rebased(path, op.path, *op.from);
        }
    }
}

} // namespace

Result<std::vector<PlanEntry>> planApply(const FrozenSet& set, std::span<const Selected> selection) {
    std::map<const FrozenEntry*, IfFlagged> chosen;
    for (const auto& one : selection) {
        const FrozenEntry* entry = set.find(one.path);
        if (entry == nullptr) {
            return fail(ErrorCode::NotFound, "a chosen path is not in this review",
                        "Open the review again: the agent has gone on working");
        }
        chosen[entry] = one.ifFlagged;
        for (SharePath up = one.path.parent(); !up.isRoot(); up = up.parent()) {
            const FrozenEntry* above = set.find(up);
            if (above != nullptr && (isNewFolder(*above) || isFolderRename(*above))) {
                chosen.try_emplace(above, IfFlagged::Leave);
            }
        }
    }
    std::vector<const FrozenEntry*> ordered;
    for (const auto& [entry, ifFlagged] : chosen) {
        ordered.push_back(entry);
    }
    std::sort(ordered.begin(), ordered.end(), comesBefore);
    orderRenames(ordered);
    std::vector<PlanEntry> plan;
    for (const auto* entry : ordered) {
        plan.push_back(planOne(*entry, chosen[entry]));
    }
    return plan;
}

std::vector<PlanEntry> planUndo(const Journal& journal, const std::set<OpIndex>& operations) {
    std::vector<PlanEntry> plan;
    const auto moves = movesTakenBack(journal, operations);
    for (std::size_t e = journal.entries().size(); e-- > 0;) {
        const PlanEntry& done = journal.plan().entries[e];
        PlanEntry back{done.path, 0, {}, {}};
        for (std::size_t o = done.ops.size(); o-- > 0;) {
            if (operations.contains({e, o})) {
                back.ops.push_back(reversed(done.ops[o], journal.record(e, o)));
                Op& op = back.ops.back();
                op.reverses = OpIndex{e, o};
                followBack(moves, *op.reverses, op.path);
                if (op.from) {
                    followBack(moves, *op.reverses, *op.from);
                }
            }
        }
        if (!back.ops.empty()) {
            plan.push_back(std::move(back));
        }
    }
    return plan;
}

} // namespace carrel::files
