// SPDX-License-Identifier: Apache-2.0
// What settles by itself in a share of mode auto (design section 7): new files and folders, and edits of
// files that are the agent's own (own_files.h); within bounds. Everything else waits for review: deletions,
// renames, modes, links, whatever is of high risk, in conflict or hidden. The bounds are counted from the
// decisions in the activity log, which are on the disk before anything happens; so they hold over crashes and
// restarts. Thread: pure functions.
#pragma once

#include "app/agents/own_files.h"
#include "app/files/frozen_set.h"
#include "guest/protocol/change_report.h"

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

namespace carrel::agents {

inline constexpr std::uint64_t kAutoFiles = 100;                       // per share and hour
inline constexpr std::uint64_t kAutoFolders = 100;                     // new ones, beside the files
inline constexpr std::uint64_t kAutoBytes = std::uint64_t{100} << 20U; // new content
inline constexpr std::chrono::hours kAutoPeriod{1};
inline constexpr std::chrono::minutes kAutoDecisionTime{
    5}; // a review that a person looks at is left alone for that long

// What was decided within the last period.
struct AutoUse {
    std::uint64_t files = 0, folders = 0, bytes = 0;
    std::int64_t freeAtNs = 0; // when the oldest of it does not count any more; 0: nothing counts
};

struct AutoPick {
    std::vector<ChangeEntry>
        claims;           // worth freezing: they fit the rule as far as the guest's word goes, and the bounds
    std::size_t full = 0; // that many more would fit the rule, but not the bounds
    std::size_t compared = 0; // PathsWithin::compared() of all claims
};
[[nodiscard]] AutoPick pickForAuto(const std::vector<ChangeEntry>& claims, std::uint32_t share,
                                   const OwnFiles& own, const AutoUse& use);
// Of a frozen set, what the rule covers as the host sees it; with a file all new folders above it.
[[nodiscard]] std::vector<const files::FrozenEntry*> coveredByAuto(const files::FrozenSet& set,
                                                                   std::uint32_t share, const OwnFiles& own);

} // namespace carrel::agents
