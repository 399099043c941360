// SPDX-License-Identifier: Apache-2.0
#include "app/files/planner.h"

#include "app/files/folder_moves.h"
#include "app/files/move_order.h"

#include <algorithm>
#include <map>
#include <set>
#include <sys/stat.h>

namespace carrel::files {

namespace {

constexpr std::size_t kMaxRing = kMaxOps / 2; // for each member one exchange, and one step for what else it becomes

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
    return {OpKind::Put, entry.path, {}, expect, entry.wanted, Xattrs::Keep, {}, {}, {}};
}
Op removal(const SharePath& path, const NodeState& expect) {
    return {OpKind::Remove, path, {}, expect, {}, Xattrs::Keep, {}, {}, {}};
}
Op mode(const SharePath& path, const NodeState& expect, const NodeState& want) {
    return {OpKind::Mode, path, {}, expect, want, Xattrs::Keep, {}, {}, {}};
}

std::vector<Op> renameOps(const FrozenEntry& entry, const SharePath& from) {
    const bool replaces = entry.target.kind != NodeKind::Absent;
    if (entry.contentChanged || replaces) {
        // Two names, so two steps: the new one first, that nothing is ever missing.
        Op first = put(entry, entry.target);
        if (!replaces && entry.base.kind == NodeKind::File && entry.wanted.kind == NodeKind::File) {
            first.from = from;
        }
        return {first, removal(from, entry.base)};
    }
    std::vector<Op> ops{{OpKind::Move, entry.path, from, entry.base, entry.base, Xattrs::Keep, {}, {}, {}}};
    if (entry.base.kind != NodeKind::Symlink && entry.base.mode != entry.wanted.mode) {
        ops.push_back(mode(entry.path, entry.base, entry.wanted));
    }
    return ops;
}

std::vector<Op> opsFor(const FrozenEntry& entry) {
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

// Why the entry is left alone; empty: it is not.
std::string whyBlocked(const FrozenEntry& entry, IfFlagged ifFlagged) {
    const bool mayReplace =
        ifFlagged == IfFlagged::Replace &&
        (entry.conflict == ConflictKind::Changed || entry.conflict == ConflictKind::Appeared) &&
        isPlain(entry.base.kind) && (entry.target.kind == NodeKind::Absent || isPlain(entry.target.kind)) &&
        // A rename onto something needs the bytes of what it moves.
        (entry.target.kind == NodeKind::Absent || entry.contentChanged || entry.baseKept ||
         entry.base.kind == NodeKind::Symlink);
    return entry.conflict == ConflictKind::None || mayReplace ? std::string() : entry.conflictReason;
}

// See applier.h for the order.
int rank(const FrozenEntry& entry) {
    if (entry.kind == ChangeKind::Renamed || isNewFolder(entry)) {
        return 0;
    }
    if (entry.wanted.kind == NodeKind::Absent ||
        (entry.base.kind == NodeKind::Directory && entry.wanted.kind != NodeKind::Directory)) {
        return 2;
    }
    return entry.wanted.kind == NodeKind::Directory ? 3 : 1;
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
        return rankA >= 2 ? depthA > depthB : depthA < depthB; // deletions and modes from the bottom up
    }
    return a->path < b->path;
}

// A ring of names, by exchanges of two at a time: each is one safe step, and nothing is ever without a name. The first
// member's place hands on what it was given, until what belongs there comes round.
PlanEntry planRing(const MoveStep& ring) {
    const FrozenEntry& first = *ring.entries.front();
    PlanEntry planned{first.path, first.generation, {}, {}};
    for (std::size_t i = 1; i < ring.entries.size(); ++i) {
        const FrozenEntry& moved = *ring.entries[i - 1];
        const FrozenEntry& met = *ring.entries[i];
        planned.ops.push_back(
            {OpKind::Exchange, moved.path, ring.from.front(), moved.base, met.base, Xattrs::Keep, {}, {}, {}});
        planned.also.emplace_back(met.path, met.generation);
    }
    for (const auto* entry : ring.entries) {
        if (entry->contentChanged) {
            planned.ops.push_back(put(*entry, entry->base));
        } else if (entry->base.kind != NodeKind::Symlink && entry->base.mode != entry->wanted.mode) {
            planned.ops.push_back(mode(entry->path, entry->base, entry->wanted));
        }
    }
    return planned;
}

void planMove(const MoveStep& step, std::vector<PlanEntry>& plan) {
    if (step.tangled) {
        for (const auto* entry : step.entries) {
            plan.push_back({entry->path, entry->generation, {},
                            "it goes into a folder that can only come there when this has gone; have the agent move it "
                            "in two steps, and apply in between"});
        }
        return;
    }
    if (step.entries.size() > 1 && step.entries.size() <= kMaxRing) {
        plan.push_back(planRing(step));
        return;
    }
    for (std::size_t i = 0; i < step.entries.size(); ++i) {
        const FrozenEntry& entry = *step.entries[i];
        plan.push_back({entry.path, entry.generation, step.from.empty() ? opsFor(entry) : renameOps(entry, step.from[i]), {}});
    }
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
    back.expect = op.kind == OpKind::Put ? putBy(op, record) : op.want;
    back.want = record.old;
    back.folder = timeBack(record.folderAfter, record.folderBefore);
    back.fromFolder = timeBack(record.fromFolderAfter, record.fromFolderBefore);
    switch (op.kind) {
    case OpKind::Put:
        back.kind = record.old.kind == NodeKind::Absent ? OpKind::Remove : OpKind::Put;
        back.expect.xattrs = record.left;
        break;
    case OpKind::Remove:
        back.kind = OpKind::Put;
        back.expect = {};
        if (isWithoutItsGroup(back)) {
            back.want.mode &= ~static_cast<std::uint32_t>(S_ISGID | S_IRWXG); // rather nobody's than another group's
        }
        break;
    case OpKind::Move:
        back.kind = OpKind::Move;
        back.path = *op.from;
        back.from = op.path;
        back.expect = record.old;
        std::swap(back.folder, back.fromFolder);
        break;
    case OpKind::Exchange:
        back.kind = OpKind::Exchange;
        back.from = op.from;
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
            const bool folder = (ops[o].kind == OpKind::Move && ops[o].expect.kind == NodeKind::Directory) ||
                                ops[o].kind == OpKind::Exchange;
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
        const auto isIn = [&](const SharePath& folder) { return path == folder || folder.contains(path); };
        if (move->first < index && isIn(op.path)) {
            path = rebased(path, op.path, *op.from);
        } else if (move->first < index && op.kind == OpKind::Exchange && isIn(*op.from)) {
            path = rebased(path, *op.from, op.path);
        }
    }
}

// See PlanEntry::needs.
void addNeeds(std::vector<PlanEntry>& plan, const std::set<SharePath>& movedFolders) {
    std::map<SharePath, std::size_t> brings;
    for (std::size_t i = 0; i < plan.size(); ++i) {
        PlanEntry& entry = plan[i];
        std::set<std::size_t> needs;
        const auto look = [&](const SharePath& path) {
            for (SharePath above = path.parent(); !above.isRoot(); above = above.parent()) {
                if (const auto found = brings.find(above); found != brings.end()) {
                    needs.insert(found->second); // which in turn needs what is further up
                    return;
                }
            }
        };
        look(entry.path);
        for (const auto& [path, generation] : entry.also) {
            look(path);
        }
        for (const Op& op : entry.ops) {
            look(op.path);
            if (op.from) {
                look(*op.from);
            }
        }
        entry.needs.assign(needs.begin(), needs.end());
        const auto bring = [&](const SharePath& path) {
            if (movedFolders.contains(path)) {
                brings[path] = i;
            }
        };
        bring(entry.path);
        for (const auto& [path, generation] : entry.also) {
            bring(path);
        }
    }
}

} // namespace

bool isWithoutItsGroup(const Op& op) {
    const bool groupsCount = op.want.kind == NodeKind::File || op.want.kind == NodeKind::Directory;
    return op.kind == OpKind::Put && op.attributes == Xattrs::Exact && op.expect.kind == NodeKind::Absent && groupsCount &&
           op.want.gid && !mayGiveTo(*op.want.gid);
}

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
    std::vector<PlanEntry> plan;
    std::vector<const FrozenEntry*> moves;
    std::vector<const FrozenEntry*> others;
    std::set<SharePath> movedFolders;
    for (const auto& [entry, ifFlagged] : chosen) {
        if (isFolderRename(*entry)) {
            movedFolders.insert(entry->path);
        }
        if (std::string why = whyBlocked(*entry, ifFlagged); !why.empty()) {
            plan.push_back({entry->path, entry->generation, {}, std::move(why)});
        } else {
            (rank(*entry) == 0 ? moves : others).push_back(entry);
        }
    }
    for (const MoveStep& step : MoveOrder(moves).steps()) {
        planMove(step, plan);
    }
    std::sort(others.begin(), others.end(), comesBefore);
    for (const auto* entry : others) {
        plan.push_back({entry->path, entry->generation, opsFor(*entry), {}});
    }
    addNeeds(plan, movedFolders);
    return plan;
}

std::vector<PlanEntry> planUndo(const Journal& journal, const std::set<OpIndex>& operations) {
    std::vector<PlanEntry> plan;
    const auto moves = movesTakenBack(journal, operations);
    for (std::size_t e = journal.entries().size(); e-- > 0;) {
        const PlanEntry& done = journal.plan().entries[e];
        PlanEntry back{done.path, 0, {}, {}, done.also};
        for (auto& [path, generation] : back.also) {
            generation = 0;
        }
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
