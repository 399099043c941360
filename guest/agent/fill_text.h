// SPDX-License-Identifier: Apache-2.0
// Texts of resources/agent with places in them that are filled when they are used: "{folder}". Thread: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::agent {

// In one go: what is put in is never looked through for places of its own.
[[nodiscard]] std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string_view>>& places);

} // namespace carrel::agent
