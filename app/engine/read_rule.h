// SPDX-License-Identifier: Apache-2.0
// A rule that the owner states (schema/common.json, ruleWanted). Thread: pure function but for looking the agent up.
#pragma once

#include "app/engine/engine.h"
#include "app/policy/rule.h"

namespace carrel::engine {

// InvalidArgument: it says something that no rule can say.
[[nodiscard]] Result<policy::Rule> readRule(Engine& engine, const api::Call& call, const boost::json::object& wanted);

} // namespace carrel::engine
