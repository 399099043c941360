// SPDX-License-Identifier: Apache-2.0
// The parts of the page that a session is exported to (resources/replay), compiled in: an export needs no installed files.
// Thread: constants.
#pragma once

#include <string_view>

namespace carrel::exporting {

[[nodiscard]] std::string_view pageFrame();  // HTML with marks where the parts go
[[nodiscard]] std::string_view pageStyle();  // CSS
[[nodiscard]] std::string_view pageScript(); // the terminal and the player

} // namespace carrel::exporting
