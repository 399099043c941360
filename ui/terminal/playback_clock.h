// SPDX-License-Identifier: Apache-2.0
// Where in a recording somebody is who watches it: time that stands or passes, faster or slower than it did. Moments in microseconds
// since the recording began; "now" in milliseconds of whatever clock the owner has. Thread: values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace carrel::ui {

class PlaybackClock {
public:
    static constexpr std::uint64_t kLongestPauseUs = 2'000'000; // where pauses are shortened

    [[nodiscard]] bool runs() const { return m_runs; }
    [[nodiscard]] double speed() const { return m_speed; }
    [[nodiscard]] std::uint64_t at(std::int64_t now) const {
        const auto passed = m_runs && now > m_since ? static_cast<double>(now - m_since) * 1000 * m_speed : 0;
        return m_at + static_cast<std::uint64_t>(passed);
    }
    void run(std::int64_t now) { set(at(now), now, true); }
    void stand(std::int64_t now) { set(at(now), now, false); }
    void jump(std::uint64_t to, std::int64_t now) { set(to, now, m_runs); }
    void setSpeed(double speed, std::int64_t now) {
        set(at(now), now, m_runs);
        m_speed = speed;
    }
    // Nothing happens before that moment: what is longer than a pause is to be is left out.
    void shortenPause(std::uint64_t until, std::int64_t now) {
        if (until > kLongestPauseUs && at(now) < until - kLongestPauseUs) {
            jump(until - kLongestPauseUs, now);
        }
    }
    // Milliseconds until it is there, if it runs.
    [[nodiscard]] std::int64_t waitFor(std::uint64_t moment, std::int64_t now) const {
        const auto here = at(now);
        return moment <= here ? 0 : static_cast<std::int64_t>(std::ceil(std::min(static_cast<double>(moment - here) / 1000 / m_speed, 1e12)));
    }

private:
    void set(std::uint64_t at, std::int64_t now, bool runs) {
        m_at = at;
        m_since = now;
        m_runs = runs;
    }

    std::uint64_t m_at = 0; // at m_since
    std::int64_t m_since = 0;
    double m_speed = 1;
    bool m_runs = false;
};

} // namespace carrel::ui
