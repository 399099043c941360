// SPDX-License-Identifier: Apache-2.0
// Private to rules_text: keeps from the TOML parser what rules do not need, since rules are imported from files that somebody
// else wrote and toml++ 3.3 has no sound answer to all of it. Letters beyond ASCII where it looks for white space lead it to
// undefined behaviour (is_non_ascii_horizontal_whitespace has a table that forgets some of its own cases), and so does a
// table whose name begins with a sign (parse_key takes for granted what parse_table_header has not looked at). So there are
// only keys, strings of one line, numbers, times, lists of them, and tables called rule; letters beyond ASCII stand in
// strings and comments.
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
