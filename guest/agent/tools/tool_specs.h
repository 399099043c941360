// SPDX-License-Identifier: Apache-2.0
// Reads what a model is told of a tool (resources/agent/tools): an object of "name", "description" (a list of lines) and "schema", read
// strictly, so that what a model is promised and what a tool judges cannot drift apart unseen. Thread: pure functions.
#pragma once

#include "guest/agent/model_turn.h"
#include "guest/protocol/result.h"

namespace carrel::agent {

// Malformed: what is wrong with it.
[[nodiscard]] Result<ToolSpec> toolSpecFrom(std::string_view text);
// Of the program's own tools. NotFound.
[[nodiscard]] Result<ToolSpec> ownToolSpec(std::string_view name);

} // namespace carrel::agent
