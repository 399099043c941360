// SPDX-License-Identifier: Apache-2.0
#include "app/files/folder_moves.h"

#include <algorithm>

namespace carrel::files {

SharePath rebased(const SharePath& path, const SharePath& from, const SharePath& to) {
    auto result = SharePath::parse(to.text() + path.text().substr(from.text().size()));
    return result ? std::move(*result) : path;
}

FolderMoves::FolderMoves(std::span<const ChangeEntry> claims, std::uint64_t mostBytes) {
    std::vector<std::pair<std::size_t, const ChangeEntry*>> renames; // with their depth
    for (const auto& claim : claims) {
        if (claim.kind == ChangeKind::Renamed && claim.type == EntryType::Directory && claim.from) {
            renames.emplace_back(claim.path.components().size(), &claim);
            m_froms.insert(*claim.from);
        }
    }
    // From the top down, so that a rename inside a renamed folder finds its outer one already there.
    std::stable_sort(renames.begin(), renames.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::uint64_t bytes = 0;
    for (const auto& [depth, claim] : renames) {
        SharePath from = origin(*claim->from);
        bytes += from.text().size() + claim->path.text().size();
        if (bytes > mostBytes) {
            m_cutShort = true;
            return;
        }
        if (!m_newNames.emplace(from, claim->path).second) {
            continue; // one folder goes to one place, or all it holds would be looked at through each of them
        }
        m_oldNames.emplace(claim->path, std::move(from));
    }
}

// Up from the path and not through all moves: a report may hold a hundred thousand of them.
FolderMoves::Names::const_iterator FolderMoves::innermost(const Names& names, const SharePath& path) {
    auto found = names.empty() ? names.end() : names.find(path);
    for (SharePath at = path; !names.empty() && found == names.end() && !at.isRoot();) {
        at = at.parent();
        found = names.find(at);
    }
    return found;
}

SharePath FolderMoves::origin(const SharePath& from) const {
    for (SharePath above = from.parent(); !above.isRoot(); above = above.parent()) {
        if (m_froms.contains(above)) {
            return from;
        }
    }
    // Its folder only: what bears the name itself today may have come from elsewhere, as in a ring.
    return before(from.parent()).child(from.name()).value_or(from);
}

SharePath FolderMoves::before(const SharePath& path) const {
    const auto move = innermost(m_oldNames, path);
    return move == m_oldNames.end() ? path : rebased(path, move->first, move->second);
}

SharePath FolderMoves::after(const SharePath& path) const {
    const auto move = innermost(m_newNames, path);
    return move == m_newNames.end() ? path : rebased(path, move->first, move->second);
}

bool FolderMoves::vacated(const SharePath& path) const {
    return innermost(m_newNames, path) != m_newNames.end() && innermost(m_oldNames, path) == m_oldNames.end();
}

} // namespace carrel::files
