// SPDX-License-Identifier: Apache-2.0
// The texts of resources/agent, which become part of the program. Thread: any.
#pragma once

#include <string_view>

namespace carrel::agent {

[[nodiscard]] std::string_view systemWords(); // with {folder} and {date}
[[nodiscard]] std::string_view summaryAskWords();
[[nodiscard]] std::string_view summaryUseWords(); // with {summary} and {asked}

} // namespace carrel::agent
