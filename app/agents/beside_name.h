// SPDX-License-Identifier: Apache-2.0
// The name of an agent's version beside the user's: "report (agent ann).md", then "report (agent ann 2).md",
// … Thread: pure function.
#pragma once

#include "guest/protocol/share_path.h"

#include <string>
#include <string_view>

namespace carrel::agents {

[[nodiscard]] inline std::string nameBeside(std::string_view name, std::string_view agent, int number) {
    const auto dot = name.rfind('.');
    const bool hasEnding = dot != std::string_view::npos && dot != 0 && name.size() - dot <= 32;
    std::string stem(name.substr(0, hasEnding ? dot : name.size()));
    std::string ending = " (agent " + std::string(agent) +
                         (number > 1 ? " " + std::to_string(number) : std::string()) + ")" +
                         std::string(hasEnding ? name.substr(dot) : std::string_view());
    const bool text = isUtf8(stem);
    while (stem.size() + ending.size() > kMaxNameBytes || (text && !isUtf8(stem))) {
        stem.pop_back();
    }
    return stem + ending;
}

} // namespace carrel::agents
