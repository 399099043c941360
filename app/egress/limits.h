// SPDX-License-Identifier: Apache-2.0
// What the owner lets an agent's connections carry, all of them together and both directions added up: what a line, or a bill, knows.
// Thread: values.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <string>

namespace carrel::egress {

inline constexpr std::uint64_t kLeastRate = 4096; // below, programs take it for a host that does not answer
inline constexpr std::uint64_t kLeastDay = 64 * 1024;
inline constexpr std::uint64_t kMostLimit = 1ULL << 50U; // of both; exact in whatever reads JSON

struct Limits {
    std::uint64_t rate = 0; // bytes a second; 0: none
    std::uint64_t day = 0;  // bytes in a day of this computer's clock; 0: none
    friend bool operator==(const Limits&, const Limits&) = default;
};

// InvalidArgument: beyond the above.
[[nodiscard]] Status check(const Limits& limits);
// "5 MiB a second, 2 GiB a day", "none".
[[nodiscard]] std::string limitsText(const Limits& limits);

} // namespace carrel::egress
