// SPDX-License-Identifier: Apache-2.0
#include "app/agents/auto_rules.h"

#include "app/agents/paths_within.h"

#include <algorithm>

namespace carrel::agents {

using files::FrozenEntry;
using files::NodeKind;

namespace {

// What is renamed, by both names. The claims' names within a renamed folder are not the host's: that rename is decided on
// first.
PathsWithin renamedFolders(const std::vector<ChangeEntry>& claims) {
    std::vector<std::string> paths;
    for (const auto& claim : claims) {
        if (claim.kind == ChangeKind::Renamed && claim.type == EntryType::Directory) {
            paths.push_back(claim.path.text());
            if (claim.from) {
                paths.push_back(claim.from->text());
            }
        }
    }
    return PathsWithin(std::move(paths));
}

bool mayBeCovered(const ChangeEntry& claim, std::uint32_t share, const OwnFiles& own) {
    if (claim.type == EntryType::Directory) {
        return claim.kind == ChangeKind::Created;
    }
    if (claim.type != EntryType::File || !claim.contentChanged || (claim.mode & 0111U) != 0) {
        return false;
    }
    return claim.kind == ChangeKind::Created ||
           (claim.kind == ChangeKind::Modified && own.knows(share, claim.path));
}

bool isCovered(const FrozenEntry& entry, std::uint32_t share, const OwnFiles& own) {
    if (entry.conflict != files::ConflictKind::None || entry.risk != files::Risk::Normal) {
        return false;
    }
    if (entry.kind == ChangeKind::Created && entry.base.kind == NodeKind::Absent) {
        return entry.wanted.kind == NodeKind::Directory ||
               (entry.wanted.kind == NodeKind::File && (entry.wanted.mode & 07111U) == 0);
    }
    return entry.kind == ChangeKind::Modified && entry.contentChanged &&
           entry.wanted.kind == NodeKind::File && entry.wanted.mode == entry.base.mode &&
           own.has(share, entry.path, entry.base);
}

} // namespace

AutoPick pickForAuto(const std::vector<ChangeEntry>& claims, std::uint32_t share, const OwnFiles& own,
                     const AutoUse& use) {
    const PathsWithin moving = renamedFolders(claims);
    AutoPick pick;
    std::uint64_t filesLeft = kAutoFiles - std::min(kAutoFiles, use.files);
    std::uint64_t foldersLeft = kAutoFolders - std::min(kAutoFolders, use.folders);
    std::uint64_t bytesLeft = kAutoBytes - std::min(kAutoBytes, use.bytes);
    std::set<SharePath> without;       // folders that did not fit: nor does what is in them
    for (const auto& claim : claims) { // in order of path: a folder before what is in it
        if (!mayBeCovered(claim, share, own) || moving.holds(claim.path.text())) {
            continue;
        }
        const bool folder = claim.type == EntryType::Directory;
        if (without.contains(claim.path.parent()) ||
            (folder ? foldersLeft == 0 : filesLeft == 0 || claim.size > bytesLeft)) {
            ++pick.full;
            if (folder) {
                without.insert(claim.path);
            }
            continue;
        }
        (folder ? foldersLeft : filesLeft) -= 1;
        bytesLeft -= folder ? 0 : claim.size;
        pick.claims.push_back(claim);
    }
    pick.compared = moving.compared();
    return pick;
}

std::vector<const FrozenEntry*> coveredByAuto(const files::FrozenSet& set, std::uint32_t share,
                                              const OwnFiles& own) {
    std::set<SharePath> refused;
    std::vector<const FrozenEntry*> covered;
    for (const auto& entry : set.entries) { // in order of path
        bool above = true;
        for (SharePath up = entry.path.parent(); above && !up.isRoot(); up = up.parent()) {
            above = !refused.contains(up);
        }
        if (above && isCovered(entry, share, own)) {
            covered.push_back(&entry);
        } else {
            refused.insert(entry.path);
        }
    }
    return covered;
}

} // namespace carrel::agents
