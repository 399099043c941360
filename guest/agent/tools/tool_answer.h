// SPDX-License-Identifier: Apache-2.0
// What the tools have in common: where a path leads, and how an error is said to a model. Thread: pure functions.
#pragma once

#include "guest/agent/tool.h"
#include "guest/protocol/result.h"

namespace carrel::agent {

// What happened, why, and what to do.
[[nodiscard]] ToolOutcome failedOutcome(const Error& error);
// A path as a model wrote it, from `folder`, which is absolute. InvalidArgument: it is empty, or holds a NUL.
[[nodiscard]] Result<std::string> placeOf(std::string_view path, const std::string& folder);
// The longest text that a field of an input may hold: a whole file fits.
inline constexpr std::size_t kMostField = 16 * 1024 * 1024;
inline constexpr std::size_t kMostPath = 4096; // PATH_MAX

} // namespace carrel::agent
