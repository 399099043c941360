// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace carrel::engine {

inline constexpr std::string_view kVersion = CARREL_VERSION; // from CMakeLists.txt

} // namespace carrel::engine
