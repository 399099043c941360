// SPDX-License-Identifier: Apache-2.0
// The texts of resources/agent/tools, which become part of the program. Thread: any.
#pragma once

#include <string_view>
#include <utility>

namespace carrel::agent {

// Empty where there is no tool of that name.
[[nodiscard]] std::string_view toolText(std::string_view name);

} // namespace carrel::agent
