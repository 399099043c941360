// SPDX-License-Identifier: Apache-2.0
// Private to rules_text: what must be kept from the TOML parser. toml++ 3.3 runs into undefined behaviour on letters beyond
// ASCII where it looks for white space (is_non_ascii_horizontal_whitespace has a table that forgets some of its own cases), and
// rules are imported from files that somebody else wrote. So such letters are let through only in comments and in strings of
// one line, where it does not look; strings of several lines, where it does, are not used in rules at all.
// Thread: pure function.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::policy {

struct TomlTrouble {
    std::size_t line = 0; // from 1
    std::string what;
};
[[nodiscard]] std::optional<TomlTrouble> refuseStrangeToml(std::string_view text);

} // namespace carrel::policy
