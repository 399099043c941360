// SPDX-License-Identifier: Apache-2.0
// Three versions of a text side by side, as diff3(1) compares them: the one that both began with, and what
// each made of it. For people; nothing is merged. The bytes may be hostile: bounded as line_diff.h is.
// Thread: pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::files {

struct ThreeWay {
    // Hunks like "@@ 3,2: both changed it @@", then lines that begin with a blank (all three), | (the base),
    // < (yours), > (the agent's) or = (the same by both); "\ No newline at end of file" as in diff -u.
    std::string listing;
    std::uint64_t both = 0; // places that both changed, each in another way
    bool shortened = false; // the budget ran out: some places are larger than they need be
};
[[nodiscard]] ThreeWay threeWay(std::string_view base, std::string_view yours, std::string_view theirs,
                                std::size_t context = 3);

} // namespace carrel::files
