// SPDX-License-Identifier: Apache-2.0
// The sets of rules for the network that Carrel comes with: resources/network. Parts of the program, so that nothing on the disk
// can change what they say. Taken over they are the owner's rules like all others, of one agent.
// Thread: pure functions.
#pragma once

#include "app/policy/presets.h"

namespace carrel::egress {

inline constexpr std::array<std::string_view, 3> kNetworkPresets{"package-registries", "source-hosting", "model-providers"};

// NotFound: none is called that.
[[nodiscard]] Result<policy::Preset> networkPreset(std::string_view name);

} // namespace carrel::egress
