// SPDX-License-Identifier: Apache-2.0
// Private to the presets: their texts, written into the program by the build.
#pragma once

#include <string_view>

namespace carrel::policy {

[[nodiscard]] std::string_view presetText(std::string_view name); // empty: none of that name

} // namespace carrel::policy
