// SPDX-License-Identifier: Apache-2.0
// Where a path of a report stands before and after the report's own folder renames. A report names things by
// where they are in the guest now; the host still has them where they were. Internal to app/files. Thread:
// value.
#pragma once

#include "guest/protocol/change_report.h"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace carrel::files {

// `path` lies in (or is) `from`; the same place in `to`. A path that grows too long stays where it is.
[[nodiscard]] SharePath rebased(const SharePath& path, const SharePath& from, const SharePath& to);

class FolderMoves {
public:
    FolderMoves() = default;
    // `mostBytes`: of names. One name of a report may have to be put in front of every other one.
    explicit FolderMoves(std::span<const ChangeEntry> claims, std::uint64_t mostBytes = UINT64_MAX);
    [[nodiscard]] bool isCutShort() const { return m_cutShort; } // beyond that: it knows the first ones only

    // On the host, of the `from` of a rename: that is a name on the host already, or one in a folder that has moved there.
    [[nodiscard]] SharePath origin(const SharePath& from) const;
    // On the host, before anything is applied. `path` is in the guest's present names.
    [[nodiscard]] SharePath before(const SharePath& path) const;
    // After the folder renames. `path` is in the host's present names.
    [[nodiscard]] SharePath after(const SharePath& path) const;
    // Inside (or is) a folder that has moved away, and not inside one that has moved in.
    [[nodiscard]] bool vacated(const SharePath& path) const;

private:
    using Names = std::map<SharePath, SharePath>;
    [[nodiscard]] static Names::const_iterator innermost(const Names& names, const SharePath& path);

    std::set<SharePath> m_froms; // as the report gives them
    Names m_newNames; // the host's present names → the guest's
    Names m_oldNames; // and back
    bool m_cutShort = false;
};

} // namespace carrel::files
