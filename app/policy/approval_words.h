// SPDX-License-Identifier: Apache-2.0
// A request in plain words, for the two who read of it. Thread: pure functions.
#pragma once

#include "app/policy/approval.h"

#include <string>
#include <string_view>

namespace carrel::policy {

// For the owner, one sentence: what the host saw, never what the agent says of it. Holds names that come from a guest, of any
// bytes: through DisplayText before a person sees it.
[[nodiscard]] std::string describe(const Approval& approval, std::string_view agentName);
// For the agent, one sentence: how it stands, and what it can do. Says nothing of rules, of the owner's words or of who it
// was: whoever was turned away is not told how to come in.
[[nodiscard]] std::string toldAgent(const Approval& approval);

} // namespace carrel::policy
