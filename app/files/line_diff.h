// SPDX-License-Identifier: Apache-2.0
// A line diff for people, bounded in time and memory, of bytes that may be hostile. Linear-space O(ND)
// algorithm of E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), section 4b, on lines
// interned to numbers. When its budget of steps is spent, what is left of a region is shown as replaced as a
// whole: still a true diff, only not the shortest. Thread: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::files {

// NUL-free, valid UTF-8 (an empty text counts): then lines can be shown. Control characters are the viewer's
// business.
[[nodiscard]] bool looksLikeText(std::string_view content);

struct LineHunk { // 0-based; old lines [oldStart, oldStart+oldCount) become new lines [newStart,
                  // newStart+newCount)
    std::size_t oldStart = 0, oldCount = 0, newStart = 0, newCount = 0;
    friend bool operator==(const LineHunk&, const LineHunk&) = default;
};

struct LineDiff {
    std::vector<std::string_view> oldLines, newLines; // without their '\n'; views into the arguments
    bool oldEndsWithNewline = true, newEndsWithNewline = true;
    std::vector<LineHunk> hunks; // ascending, without context
    bool shortened = false;      // the budget ran out somewhere
    [[nodiscard]] std::uint64_t added() const;
    [[nodiscard]] std::uint64_t removed() const;
};

inline constexpr std::uint64_t kDiffBudget = 20'000'000; // inner steps, some tenths of a second
[[nodiscard]] LineDiff diffLines(std::string_view before, std::string_view after,
                                 std::uint64_t budget = kDiffBudget);

// Unified format (POSIX diff -u) without the file header: "@@ -1,3 +1,4 @@" hunks and "\ No newline at end of
// file".
[[nodiscard]] std::string unified(const LineDiff& diff, std::size_t context = 3);

} // namespace carrel::files
