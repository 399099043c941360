// SPDX-License-Identifier: Apache-2.0
// Requests of agents and the owner's rules as text for a person. As in render.h, and one thing more: a text of a guest's that
// is longer than a line goes on behind a bar, so that no part of it can stand where Carrel's own words stand. Thread: pure
// functions.
#pragma once

#include "app/cli/render.h"

namespace carrel::cli {

[[nodiscard]] std::string spanText(std::int64_t seconds); // "12 s", "4 min", "3 h", "2 d"; never below 0

// Lines of at most 72 columns, each behind "    | "; made fit for display.
[[nodiscard]] std::string barred(std::string_view foreign);
// The same of a text of several lines.
[[nodiscard]] std::string barredBlock(std::string_view foreign);

enum class Closed { LeftOut, Listed };
[[nodiscard]] std::string approvalsText(const boost::json::object& result, Closed closed, std::int64_t now); // of approval.list
[[nodiscard]] std::string approvalLine(const boost::json::object& approval); // "12  open  HIGH  clerk  The agent …"
[[nodiscard]] std::string turnedAwayText(const boost::json::object& result);

// What there is to see of one request, of approval.show; an apply's changes go between the first and the second.
[[nodiscard]] std::string approvalText(const boost::json::object& result, Colour colour);
[[nodiscard]] std::string thingsText(const boost::json::object& result);
[[nodiscard]] std::string coverText(const boost::json::object& result);
[[nodiscard]] std::string answerText(const boost::json::object& result); // how to answer; empty where it is not open

[[nodiscard]] bool isOpen(const boost::json::object& approval);
// Whatever is not said to be routine is not.
[[nodiscard]] bool isHighRisk(const boost::json::object& approval);
[[nodiscard]] std::string stateText(const boost::json::object& approval); // one sentence: how it stands, and by whom
[[nodiscard]] std::string statsText(const boost::json::object& result);

// Of the rules: while there is any, everything is denied. Empty where there is none.
[[nodiscard]] std::string rulesTroubleText(const boost::json::object& trouble);
[[nodiscard]] std::string ruleText(const boost::json::object& rule); // in words and as it stands in the file
[[nodiscard]] std::string rulesText(const boost::json::array& rules); // all their words
[[nodiscard]] std::string ruleListText(const boost::json::object& result); // of rule.list
[[nodiscard]] std::string ruleTestText(const boost::json::object& result);
[[nodiscard]] std::string presetsText(const boost::json::object& result, std::string_view how); // how one is taken over

} // namespace carrel::cli
