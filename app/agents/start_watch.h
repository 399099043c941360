// SPDX-License-Identifier: Apache-2.0
// Decides whether a starting machine still makes progress. There is no time limit for a start: a slow computer may take
// as long as it needs. A start fails when its signs of life stop: no new step, no byte on the console and an idle
// processor for kIdlePatience, or nothing but a busy processor for kBusyPatience (a guest that spins).
// Thread: one owner; keeps no clock: every call is told the time, so that tests can turn it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::agents {

class StartWatch {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kIdlePatience{45};
    static constexpr std::chrono::minutes kBusyPatience{10};
    // So often a start that gives no sign says that it is still waited for.
    static constexpr std::chrono::seconds kQuietNews{20};
    // Below this share of one processor a machine is idle: a stopped guest under emulation uses about 1 %.
    static constexpr double kIdleLoad = 0.05;

    explicit StartWatch(Time now);
    void step(std::string_view name, Time now);
    // Whether step() has not had this name yet; bounded, since a guest chooses the names.
    [[nodiscard]] bool firstTime(std::string_view name) const;
    void sign(Time now); // bytes on the console
    void processor(std::chrono::nanoseconds used, Time now);

    struct Stall {
        std::string step; // the last one that was reached
        std::chrono::seconds silent{0};
        bool busy = false; // the processor was working all the while
    };
    [[nodiscard]] std::optional<Stall> stalled(Time now) const;
    // Once in kQuietNews while no sign comes: what there is to say of that.
    [[nodiscard]] std::optional<Stall> quiet(Time now);
    [[nodiscard]] const std::string& lastStep() const { return m_step; }

private:
    static constexpr std::size_t kMaxSeen = 64;
    std::string m_step = "machine";
    std::vector<std::string> m_seen;
    Time m_lastSign;
    Time m_lastBusy; // or sign
    int m_quietTold = 0; // since the last sign
    Time m_sampled;
    std::chrono::nanoseconds m_used{0};
};

// What a step means, for a person: "kernel" → "Linux starts". Empty for a step without words: guests name theirs freely.
[[nodiscard]] std::string_view describeStep(std::string_view step);

} // namespace carrel::agents
