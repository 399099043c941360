// SPDX-License-Identifier: Apache-2.0
// The agent programs that can work on a task. Thread: pure functions.
#pragma once

#include "app/tasks/hands.h"

namespace carrel::tasks {

inline constexpr std::string_view kBuiltIn = "carrel";

// `environment`: what providers::environmentFor() gives. NotFound: there is no such program. Unsupported: it does not speak with such a model;
// with what to do. `program` empty: the built-in one.
[[nodiscard]] Result<Brain> brainOf(const std::string& program, const std::string& provider, std::map<std::string, std::string> environment);

// NotFound: there is none of that name; empty: the built-in one.
[[nodiscard]] Status checkProgram(const std::string& program);

} // namespace carrel::tasks
