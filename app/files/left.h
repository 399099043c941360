// SPDX-License-Identifier: Apache-2.0
// What an apply left in the folder, for the guest (changes.settle): it takes that for the base of what it has written since.
// Whoever saved the file after the apply is found out here, before that; and what is saved after this look by the guest, which
// has been told the version. Thread: blocking, no state.
#pragma once

#include "app/files/frozen_set.h"
#include "app/files/listed_names.h"
#include "guest/protocol/change_report.h"

#include <optional>

namespace carrel::files {

[[nodiscard]] Left leftOf(const NodeState& there);
// None: it is not what was wanted, or not any more. `names`: for many, one after the other (pin()).
[[nodiscard]] std::optional<Left> leftBy(int root, const SharePath& path, const NodeState& wanted,
                                         ListedNames* names = nullptr);

} // namespace carrel::files
