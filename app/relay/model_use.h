// SPDX-License-Identifier: Apache-2.0
// What one request to a model used, as counted at the door (model_usage.h). Thread: a value.
#pragma once

#include <cstdint>
#include <string>

namespace carrel::relay {

inline constexpr std::size_t kMaxModelName = 128;
// Of each number. Far beyond what there is, and the sum of a thousand still fits.
inline constexpr std::uint64_t kMostTokens = 1ULL << 53U;

struct ModelUse {
    // As the host calls it in its answer; else as it was asked for; else empty. Visible ASCII.
    std::string model;
    // Tokens, each in one of them only: `input` is without what was read from a cache or written into it.
    std::uint64_t input = 0, output = 0, cacheRead = 0, cacheWrite = 0;
    enum class Counted { Told, Estimated } counted = Counted::Told; // by the host's own account; from what was said, by its length
    int status = 0; // of the answer; 0: none came, and where the host had been asked, it is estimated. Not 2xx: nothing was used
    friend bool operator==(const ModelUse&, const ModelUse&) = default;
};

} // namespace carrel::relay
