// SPDX-License-Identifier: Apache-2.0
// What the asking cost: counted from the records, so that the log can say it of any time and nothing has to be kept beside.
// Waiting is what was measured when the request ended, not the difference of two times of a clock that can be set.
// Thread: the caller serialises.
#pragma once

#include "app/policy/approval_record.h"

#include <functional>
#include <map>
#include <string>

namespace carrel::policy {

struct AttentionCounts {
    std::uint64_t asked = 0;
    std::uint64_t shown = 0;      // once each time that a request was opened
    std::uint64_t merged = 0;     // asked again while it was open, and shown as one
    std::uint64_t answered = 0;   // by a person
    std::uint64_t byRule = 0;     // answered without a person, asked or not
    std::uint64_t expired = 0;
    std::uint64_t cancelled = 0;  // among them those turned away
    std::uint64_t turnedAway = 0;
    std::uint64_t waitedMs = 0;
    friend bool operator==(const AttentionCounts&, const AttentionCounts&) = default;
};

class Attention {
public:
    struct Key {
        std::string agent;
        std::string task; // empty: of no task, or not known
        std::string day;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    // The day that a moment (ms since 1970) belongs to, where the person is.
    using DayOf = std::function<std::string(std::int64_t)>;
    explicit Attention(DayOf dayOf)
        : m_dayOf(std::move(dayOf)) {}
    // "2026-12-01", in UTC.
    [[nodiscard]] static std::string utcDay(std::int64_t ms);

    void add(const ApprovalRecord& record); // of one agent in the order of its log
    [[nodiscard]] const std::map<Key, AttentionCounts>& counts() const { return m_counts; }

private:
    struct Open {
        std::string task;
        bool shown = false;
    };
    DayOf m_dayOf;
    std::map<Key, AttentionCounts> m_counts;
    std::map<std::pair<std::string, std::uint64_t>, Open> m_known; // by agent and request
};

} // namespace carrel::policy
