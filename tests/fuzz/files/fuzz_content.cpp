// SPDX-License-Identifier: Apache-2.0
// A guest's bytes as content and as a name: the line diff must be true for any two texts, the risk verdict
// must not fall.
#include "app/files/line_diff.h"
#include "app/files/risk.h"
#include "app/files/tree.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::files;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = input.size() * data[0] / 256;
    const std::string_view before = input.substr(0, cut);
    const std::string_view after = input.substr(cut);
    const LineDiff diff = diffLines(before, after, data[0] % 2 == 0 ? kDiffBudget : 500);
    std::size_t at = 0;
    std::size_t to = 0;
    const auto sameLine = [&](std::size_t i, std::size_t j) {
        if (j >= diff.newLines.size() || diff.oldLines[i] != diff.newLines[j]) {
            std::abort();
        }
    };
    for (const auto& hunk : diff.hunks) {
        for (; at < hunk.oldStart; ++at, ++to) {
            sameLine(at, to);
        }
        if (to != hunk.newStart) {
            std::abort();
        }
        at += hunk.oldCount;
        to += hunk.newCount;
    }
    for (; at < diff.oldLines.size(); ++at, ++to) {
        sameLine(at, to);
    }
    if (to != diff.newLines.size()) {
        std::abort();
    }
    (void)unified(diff);
    if (auto path = SharePath::parse(before); path && !path->isRoot()) {
        FrozenEntry entry;
        entry.path = std::move(*path);
        entry.wanted.kind = NodeKind::File;
        (void)judgeRisk(entry, after);
        (void)staysInside(-1, entry.path, after);
    }
    return 0;
}
