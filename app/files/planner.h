// SPDX-License-Identifier: Apache-2.0
// From a frozen set and a selection, or from a finished journal, to a plan. Internal to app/files. Thread:
// no state.
#pragma once

#include "app/files/journal.h"

namespace carrel::files {

// Entries in the order in which they must happen. New or renamed folders above a selected entry come along.
// NotFound: a selected path is not in the set.
[[nodiscard]] Result<std::vector<PlanEntry>> planApply(const FrozenSet& set,
                                                       std::span<const Selected> selection);
// It comes back, and this account cannot give it to its group any more: then it is for nobody but its owner and whom it lets
// in by name.
[[nodiscard]] bool isWithoutItsGroup(const Op& op);
// The reverse of those operations of the journal, last first.
[[nodiscard]] std::vector<PlanEntry> planUndo(const Journal& journal, const std::set<OpIndex>& operations);

} // namespace carrel::files
