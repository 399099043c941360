// SPDX-License-Identifier: Apache-2.0
// The text of resources/agent/providers.toml, as the build put it in. Thread: pure functions.
#pragma once

#include <string_view>

namespace carrel::providers {

[[nodiscard]] std::string_view providerPresetsText();

} // namespace carrel::providers
