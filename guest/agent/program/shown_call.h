// SPDX-License-Identifier: Apache-2.0
// A call of a tool as the Agent Client Protocol shows it: its title, its kind, where it works, and what came of it.
// Thread: pure functions.
#pragma once

#include "guest/acp/words.h"
#include "guest/agent/tool.h"

namespace carrel::agent {

// The fields of "tool_call", but for its status. `folder`: where paths start from.
[[nodiscard]] boost::json::object shownCall(const ToolUse& call, const std::string& folder);
// "content": the text, bounded, and the change as a diff.
[[nodiscard]] boost::json::array shownResult(const ToolResult& result, const std::optional<FileChange>& change);
[[nodiscard]] boost::json::object textContent(std::string_view text); // a piece of content
// Whether it may change something: what the mode "ask" asks about.
[[nodiscard]] bool mayChange(const ToolUse& call);

} // namespace carrel::agent
