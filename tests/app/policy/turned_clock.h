// SPDX-License-Identifier: Apache-2.0
// A clock that a test turns.
#pragma once

#include "app/policy/clock.h"

namespace carrel::policy::test {

struct TurnedClock final : Clock {
    Moment at{1'796'126'400'000, 5'000}; // 2026-12-01T12:00:00Z
    void turn(std::int64_t ms) {
        at.wallMs += ms;
        at.steadyMs += ms;
    }
    [[nodiscard]] Moment now() const override { return at; }
};

} // namespace carrel::policy::test
