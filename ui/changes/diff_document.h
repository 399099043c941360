// SPDX-License-Identifier: Apache-2.0
// The difference of a text as rows for a view: what `diff` tells as unified hunks, paired side by side, and what its three-way
// listing tells. The text is a guest's and may be anything; every line of it is in exactly one row, and what is no line of such a
// text is a row of its own. Thread: values and pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::ui {

enum class RowKind : std::uint8_t {
    Gap,     // a hunk begins: before it something is left out that did not change
    Same,    // left and right
    Changed, // left became right
    Removed, // left only
    Added,   // right only
    Base,    // three ways; the text is left: what both began with
    Yours,   // in the user's folder
    Agents,
    Agreed,  // both made the same of it
    Strange, // no line of a difference; the text is left
    CutOff,  // the last one: there are more lines than a view can hold
};

struct DiffRow {
    RowKind kind = RowKind::Same;
    bool leftOpen = false;  // its line has no line end
    bool rightOpen = false;
    std::uint32_t leftNumber = 0; // from 1; 0: there is none. Gap: where it begins. CutOff: lines that are missing
    std::uint32_t rightNumber = 0;
    std::string_view left; // raw, without a line end; into the document's text
    std::string_view right;
};

struct DiffDocument {
    std::shared_ptr<const std::string> text;
    std::vector<DiffRow> rows;
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t strange = 0;
};

inline constexpr std::size_t kMaxDiffRows = 400'000;

[[nodiscard]] DiffDocument parseUnified(std::string text, std::size_t maxRows = kMaxDiffRows);
[[nodiscard]] DiffDocument parseThreeWay(std::string text, std::size_t maxRows = kMaxDiffRows);

} // namespace carrel::ui
