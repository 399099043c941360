// SPDX-License-Identifier: Apache-2.0
// Requests and rules in the words of the interface (schema/common.json: approval, rule, rulesTrouble, attention). Texts that
// hold names from a guest are made valid UTF-8 here, and are not yet fit for a person's eyes (I11). Thread: pure functions.
#pragma once

#include "app/policy/approval.h"
#include "app/policy/attention.h"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace carrel::engine {

using NameOfAgent = std::function<std::string(const std::string& id)>;

[[nodiscard]] boost::json::object describeApproval(const policy::Approval& approval, const NameOfAgent& nameOf);
// Those of its things that are kept with it.
[[nodiscard]] boost::json::array describeThings(const policy::Approval& approval);
// The word that a person types before a request of high risk is allowed: the name of the first thing that makes it so, or
// where that is no plain word, the agent's. Typing it takes a look at it.
[[nodiscard]] std::string confirmWord(const policy::Approval& approval, const std::string& agentName);
[[nodiscard]] boost::json::object describeRule(const policy::Rule& rule, const NameOfAgent& nameOf);
[[nodiscard]] boost::json::object describeTrouble(const Error& error);
[[nodiscard]] boost::json::object describeAttention(const policy::Attention::Key& key, const policy::AttentionCounts& counts,
                                                    const NameOfAgent& nameOf);

} // namespace carrel::engine
