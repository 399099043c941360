// SPDX-License-Identifier: Apache-2.0
// Keeps an agent from wearing a person out: at most three requests open, at most ten opened in a minute, and a pause after
// each denial that doubles with the next one. What is beyond that is cancelled unasked and counted in one row.
//
// All of it runs on the steady clock: whoever sets the clock gets no free try. An allow ends the doubling, and so do eight
// hours without a denial. Time-outs and rules are no denials: nobody was bothered, or nobody was there.
// Owner: the queue. Thread: the caller serialises.
#pragma once

#include "app/policy/clock.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::policy {

inline constexpr std::size_t kMaxOpen = 3;         // of one agent
inline constexpr std::size_t kMaxPerMinute = 10;   // opened
inline constexpr std::size_t kMaxDeniedRows = 20;  // per minute, of those that a rule denied
inline constexpr std::chrono::seconds kFirstPause{10};
inline constexpr std::chrono::hours kLongestPause{1};
inline constexpr std::chrono::hours kForgetDenials{8};

class FloodGuard {
public:
    enum class May { Ask, TooManyOpen, TooOften, Paused };
    [[nodiscard]] May may(const std::string& agent, std::size_t open, Moment now);
    void asked(const std::string& agent, Moment now);
    void denied(const std::string& agent, Moment now);
    void allowed(const std::string& agent);
    // From the log: it was denied that long ago.
    void recall(const std::string& agent, Moment now, std::chrono::milliseconds ago);
    [[nodiscard]] std::chrono::milliseconds pauseLeft(const std::string& agent, Moment now) const;

    struct Away { // one row of the list
        std::string agent;
        std::uint64_t count = 0; // since the agent last got a request through
        std::int64_t sinceMs = 0;
    };
    void turnedAway(const std::string& agent, Moment now);
    // Not yet written down; now it is. The first one is due at once, then at most one row a minute.
    struct Due {
        std::string agent;
        std::uint64_t count = 0;
        std::int64_t sinceMs = 0;
    };
    [[nodiscard]] std::vector<Due> due(Moment now, std::chrono::milliseconds every) const;
    void written(const Due& due, Moment now);
    [[nodiscard]] std::vector<Away> away() const;
    // A rule denied without asking: how many a row about it stands for, itself among them; none: it is counted for the next
    // row. A machine can ask for what is denied as often as it likes.
    [[nodiscard]] std::optional<std::uint64_t> deniedByRule(const std::string& agent, Moment now);
    void forget(std::string_view agent);

private:
    struct Of {
        unsigned denials = 0;
        std::int64_t deniedAt = 0;
        std::deque<std::int64_t> opened;
        std::uint64_t away = 0;
        std::uint64_t unwritten = 0;
        std::int64_t awaySinceMs = 0;
        std::int64_t unwrittenSinceMs = 0;
        std::optional<std::int64_t> writtenAt;
        std::deque<std::int64_t> deniedRows;
        std::uint64_t deniedUnwritten = 0;
    };
    [[nodiscard]] static std::chrono::milliseconds pauseAfter(unsigned denials);
    std::map<std::string, Of, std::less<>> m_of;
};

} // namespace carrel::policy
