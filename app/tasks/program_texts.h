// SPDX-License-Identifier: Apache-2.0
// Private to the programs: resources/agent's texts, written into the program by the build.
#pragma once

#include <string_view>

namespace carrel::tasks {

[[nodiscard]] std::string_view programsText();      // programs.toml
[[nodiscard]] std::string_view installScriptText(); // install-program.sh

} // namespace carrel::tasks
