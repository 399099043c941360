// SPDX-License-Identifier: Apache-2.0
// What came of an apply, a discard or an undo, in the words of the interface (schema/common.json, outcome and
// outcomeTotals). Thread: pure functions.
#pragma once

#include "app/agents/agent.h"

#include <boost/json/object.hpp>

namespace carrel::engine {

inline constexpr std::size_t kMaxOutcomes = 1000;

// "<share>/<path>", in the form that JSON can carry.
void putFullPath(boost::json::object& into, std::string_view key, const std::string& share, const SharePath& path);
// {outcomes, totals}: what was not done first, and no more than kMaxOutcomes.
[[nodiscard]] boost::json::object describeReport(const agents::ActionReport& report);
// Of the apply in the history; null: there is none.
[[nodiscard]] boost::json::value numberOf(const agents::ActionReport& report);

} // namespace carrel::engine
