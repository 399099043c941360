// SPDX-License-Identifier: Apache-2.0
// The texts of resources/network, as the build put them in. Thread: pure functions.
#pragma once

#include <string_view>

namespace carrel::egress {

[[nodiscard]] std::string_view networkPresetText(std::string_view name); // empty: none is called that

} // namespace carrel::egress
