// SPDX-License-Identifier: Apache-2.0
// Patterns of paths in a share: glob(7) within each name, by characters of UTF-8, and "**" as a whole name for any number of folders; at the end for
// all that is below, and not the folder itself. "docs/**", "**/.env", "a/*/b". Paths and patterns are relative, in plain
// steps, of any bytes. Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace carrel::policy {

// None of its names holds "**" and something else beside it: that would be read as more than it matches.
[[nodiscard]] bool isPathPattern(std::string_view text);
[[nodiscard]] bool matchesPattern(std::string_view pattern, std::string_view path);
// Matches the folder, or could match something in it, whatever is there.
[[nodiscard]] bool reachesInto(std::string_view pattern, std::string_view folder);
// Matches the folder and everything that there can be in it.
[[nodiscard]] bool coversAllOf(std::string_view pattern, std::string_view folder);

// A path as the pattern that matches it and nothing else, and whether a pattern is one that can match one path only.
[[nodiscard]] std::string literalPattern(std::string_view path);
[[nodiscard]] bool isLiteralPattern(std::string_view pattern);

} // namespace carrel::policy
