// SPDX-License-Identifier: Apache-2.0
// The sets of rules that Carrel comes with, to begin from: resources/policy. Parts of the program, so that nothing on the
// disk can change what they say. They count only once they are taken over (RuleBook::reset), and then they are the owner's.
// Thread: pure functions.
#pragma once

#include "app/policy/rules_text.h"

#include <array>
#include <string>
#include <string_view>

namespace carrel::policy {

inline constexpr std::array<std::string_view, 3> kPresets{"careful", "balanced", "generous"};

struct Preset {
    std::string name;
    std::string description; // in plain words, a few sentences
    RuleSet set;
};
// NotFound: none is called that.
[[nodiscard]] Result<Preset> preset(std::string_view name);
// Of a text like those of resources/policy: the comment at its top tells what it is for.
[[nodiscard]] Result<Preset> presetFrom(std::string_view name, std::string_view text);
// What is said where `known` are all there are.
[[nodiscard]] Error noSuchPreset(std::string_view name, std::span<const std::string_view> known);

} // namespace carrel::policy
