// SPDX-License-Identifier: Apache-2.0
#include "app/api/characters.h"

#include "app/api/unicode_tables.h"

#include <algorithm>

namespace carrel::api {

namespace {

bool within(const unicode::Range* table, std::size_t count, std::uint32_t point) {
    const auto* end = table + count;
    const auto* found = std::lower_bound(
        table, end, point, [](const unicode::Range& range, std::uint32_t p) { return range.last < p; });
    return found != end && found->first <= point;
}

} // namespace

CharacterKind characterKind(std::uint32_t point) {
    if (point < 0x80) {
        return point < 0x20 || point == 0x7f ? CharacterKind::Hidden : CharacterKind::Narrow;
    }
    if (!within(unicode::kShown, unicode::kShownCount, point)) {
        return CharacterKind::Hidden;
    }
    if (within(unicode::kMarks, unicode::kMarksCount, point)) {
        return CharacterKind::Mark;
    }
    return within(unicode::kWide, unicode::kWideCount, point) ? CharacterKind::Wide : CharacterKind::Narrow;
}

} // namespace carrel::api
