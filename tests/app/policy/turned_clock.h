// SPDX-License-Identifier: Apache-2.0
// A clock that a test turns.
#pragma once

#include "app/policy/clock.h"

#include <atomic>

namespace carrel::policy::test {

struct TurnedClock final : Clock {
    Moment at{1'796'126'400'000, 5'000}; // 2026-12-01T12:00:00Z
    void turn(std::int64_t ms) {
        at.wallMs += ms;
        at.steadyMs += ms;
    }
    [[nodiscard]] Moment now() const override { return at; }
};

// Goes on by itself, and is turned beside; read by any thread.
struct SharedClock final : Clock {
    std::atomic<std::int64_t> turned = 0;
    const SystemClock real{};
    [[nodiscard]] Moment now() const override {
        auto at = real.now();
        at.wallMs += turned;
        at.steadyMs += turned;
        return at;
    }
};

} // namespace carrel::policy::test
