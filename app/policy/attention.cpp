// SPDX-License-Identifier: Apache-2.0
#include "app/policy/attention.h"

#include <chrono>
#include <cstdio>

namespace carrel::policy {

std::string Attention::utcDay(std::int64_t ms) {
    using namespace std::chrono;
    const year_month_day day(floor<days>(sys_time<milliseconds>(milliseconds(ms))));
    std::array<char, 32> out{};
    std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                  static_cast<unsigned>(day.day()));
    return out.data();
}

void Attention::add(const ApprovalRecord& row) {
    auto& known = m_known[{row.agent, row.id}];
    if (const auto* asked = std::get_if<record::Asked>(&row.what)) {
        known.task = asked->task;
    }
    auto& counts = m_counts[{row.agent, known.task, m_dayOf(row.atMs)}];
    const auto closed = [&](std::uint64_t asked, std::uint64_t waitedMs) {
        counts.merged += asked > 0 ? asked - 1 : 0;
        counts.waitedMs += waitedMs;
    };
    if (std::holds_alternative<record::Asked>(row.what) || std::holds_alternative<record::Reopened>(row.what)) {
        ++counts.asked;
        known.shown = false;
    } else if (std::holds_alternative<record::Shown>(row.what)) {
        counts.shown += known.shown ? 0 : 1;
        known.shown = true;
    } else if (std::holds_alternative<record::Changed>(row.what)) {
        known.shown = false; // a person has to look again
    } else if (const auto* decided = std::get_if<record::Decided>(&row.what)) {
        // A rule's decision is one of no rule of its own.
        ++(decided->facts.ruleId != 0 ? counts.byRule : counts.answered);
        closed(decided->asked, decided->waitedMs);
    } else if (const auto* ended = std::get_if<record::Ended>(&row.what)) {
        ++(ended->reason == EndReason::NoAnswer ? counts.expired : counts.cancelled);
        closed(ended->asked, ended->waitedMs);
    } else if (const auto* answered = std::get_if<record::RuleAnswered>(&row.what)) {
        counts.byRule += answered->count;
    } else if (const auto* away = std::get_if<record::TurnedAway>(&row.what)) {
        counts.cancelled += away->count;
        counts.turnedAway += away->count;
    }
}

} // namespace carrel::policy
