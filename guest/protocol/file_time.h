// SPDX-License-Identifier: Apache-2.0
// A file's time as one number: nanoseconds since 1970 UTC, as change reports, frozen sets and journals hold it. 64 bits of
// them reach from 1677 to 2262; what a file claims beyond that is held as the nearest of the two ends, the same on both
// sides of the door. inode(7), futimens(3).
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace carrel {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// `rest`: 0 to 999,999,999.
[[nodiscard]] constexpr std::int64_t toNs(std::int64_t seconds, std::int64_t rest) {
    constexpr auto kLast = std::numeric_limits<std::int64_t>::max();
    constexpr auto kFirst = std::numeric_limits<std::int64_t>::min();
    if (seconds >= kLast / kNsPerSecond) {
        return kLast;
    }
    return seconds <= kFirst / kNsPerSecond ? kFirst : seconds * kNsPerSecond + rest;
}
[[nodiscard]] constexpr std::int64_t toNs(const timespec& time) {
    return toNs(time.tv_sec, time.tv_nsec);
}

[[nodiscard]] constexpr timespec toTimespec(std::int64_t ns) {
    const bool before = ns % kNsPerSecond < 0; // a part of a second counts up from the whole one below it
    return {ns / kNsPerSecond - (before ? 1 : 0), ns % kNsPerSecond + (before ? kNsPerSecond : 0)};
}

} // namespace carrel
