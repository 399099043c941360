// SPDX-License-Identifier: Apache-2.0
#include "app/files/folder_moves.h"

#include <algorithm>

namespace carrel::files {

namespace {

// `path` lies in (or is) `from`; the same place in `to`. A path that grows too long stays where it is.
SharePath moved(const SharePath& path, const SharePath& from, const SharePath& to) {
    auto result = SharePath::parse(to.text() + path.text().substr(from.text().size()));
    return result ? std::move(*result) : path;
}

} // namespace

FolderMoves::FolderMoves(std::span<const ChangeEntry> claims) {
    std::vector<const ChangeEntry*> renames;
    for (const auto& claim : claims) {
        if (claim.kind == ChangeKind::Renamed && claim.type == EntryType::Directory && claim.from) {
            renames.push_back(&claim);
        }
    }
    // From the top down, so that a rename inside a renamed folder finds its outer one already there.
    std::stable_sort(renames.begin(), renames.end(), [](const ChangeEntry* a, const ChangeEntry* b) {
        return a->path.components().size() < b->path.components().size();
    });
    for (const auto* claim : renames) {
        m_moves.push_back({before(*claim->from), claim->path});
    }
}

SharePath FolderMoves::before(const SharePath& path) const {
    const Move* best = nullptr;
    for (const auto& move : m_moves) {
        if (move.to.contains(path) && (best == nullptr || move.to.text().size() > best->to.text().size())) {
            best = &move;
        }
    }
    return best == nullptr ? path : moved(path, best->to, best->from);
}

SharePath FolderMoves::after(const SharePath& path) const {
    const Move* best = nullptr;
    for (const auto& move : m_moves) {
        if (move.from.contains(path) &&
            (best == nullptr || move.from.text().size() > best->from.text().size())) {
            best = &move;
        }
    }
    return best == nullptr ? path : moved(path, best->from, best->to);
}

bool FolderMoves::vacated(const SharePath& path) const {
    const auto in = [&](const SharePath Move::*side) {
        return std::any_of(m_moves.begin(), m_moves.end(),
                           [&](const Move& move) { return (move.*side).contains(path); });
    };
    return in(&Move::from) && !in(&Move::to);
}

} // namespace carrel::files
