// SPDX-License-Identifier: Apache-2.0
// Private to rules_text: keeps from the TOML parser what rules do not need, since rules are imported from files that somebody
// else wrote and toml++ 3.3 has no sound answer to all of it. Letters beyond ASCII where it looks for white space, tables
// whose names begin with a sign and times with something else in them lead it to what it takes for granted, and so to
// undefined behaviour. Only these words get there: keys of letters, digits, _ and -; whole numbers; true and false; times;
// strings of one line, alone or in one list; tables called rule; comments. Letters beyond ASCII stand in strings and comments.
// Whether they stand where they should is for the parser to say.
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
