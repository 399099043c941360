// SPDX-License-Identifier: Apache-2.0
// Which changes are a way to the host by themselves (design section 7): names and content that some program
// on the host runs or obeys without being asked. A heuristic for the reviewer's attention, never a
// permission. Thread: pure function.
#pragma once

#include "app/files/frozen_set.h"

#include <string>
#include <string_view>

namespace carrel::files {

struct RiskVerdict {
    Risk risk = Risk::Normal;
    std::string reason; // one sentence without a full stop; empty when normal
};

// `head` is the beginning of the new content (4 KiB are enough).
[[nodiscard]] RiskVerdict judgeRisk(const FrozenEntry& entry, std::string_view head);
[[nodiscard]] std::string lowered(std::string_view text); // ASCII
// Equal when case is ignored (ASCII) although the bytes differ.
[[nodiscard]] bool isCaseTwin(std::string_view a, std::string_view b);

} // namespace carrel::files
