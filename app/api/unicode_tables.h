// SPDX-License-Identifier: Apache-2.0
// What characters.h knows about characters. Private to app/api.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::api::unicode {

struct Range {
    std::uint32_t first;
    std::uint32_t last;
};

extern const Range kShown[];
extern const std::size_t kShownCount;
extern const Range kMarks[];
extern const std::size_t kMarksCount;
extern const Range kWide[];
extern const std::size_t kWideCount;

} // namespace carrel::api::unicode
