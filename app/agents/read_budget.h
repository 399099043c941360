// SPDX-License-Identifier: Apache-2.0
// How many first reads of an agent are written down: no read goes unrecorded, so what may not be written is not handed out
// either. The clerk asks once per file version; but one that a guest has taken over asks as it likes, and the log must not
// fill the user's disk. A large source tree is read at full speed many times over; only what goes beyond that waits.
// Thread: any, under the owner's lock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace carrel::agents {

class ReadBudget {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::uint64_t kMost = 1'000'000; // at once; of about 250 bytes in the log
    static constexpr std::uint64_t kPerSecond = 10;   // come back

    explicit ReadBudget(std::uint64_t most = kMost)
        : m_most(most)
        , m_left(most) {}

    [[nodiscard]] bool take(std::uint64_t count, Clock::time_point now) {
        refill(now);
        if (count > m_left) {
            m_refused += count;
            return false;
        }
        m_left -= count;
        return true;
    }
    // Once a minute at most: how many were refused since it was asked last.
    [[nodiscard]] std::optional<std::uint64_t> refusedToTell(Clock::time_point now) {
        if (m_refused == 0 || (m_told && now - *m_told < std::chrono::minutes(1))) {
            return std::nullopt;
        }
        m_told = now;
        return std::exchange(m_refused, 0);
    }

private:
    void refill(Clock::time_point now) {
        if (!m_since) {
            m_since = now;
        }
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *m_since);
        if (seconds.count() > 0) {
            *m_since += seconds;
            m_left = std::min(m_most, m_left + kPerSecond * static_cast<std::uint64_t>(seconds.count()));
        }
    }
    std::uint64_t m_most;
    std::uint64_t m_left;
    std::uint64_t m_refused = 0;
    std::optional<Clock::time_point> m_since, m_told;
};

} // namespace carrel::agents
