// SPDX-License-Identifier: Apache-2.0
// A rule that the owner states (schema/common.json, ruleWanted). Thread: any; looks the agent up, and follows
// links on the disk.
#pragma once

#include "app/engine/engine.h"
#include "app/policy/rule.h"

namespace carrel::engine {

// Folders by the names that shares have: without symbolic links. A rule that names a folder otherwise would match nothing.
void asItIs(policy::Rule& rule);
// InvalidArgument: it says something that no rule can say.
[[nodiscard]] Result<policy::Rule> readRule(Engine& engine, const api::Call& call, const boost::json::object& wanted);

} // namespace carrel::engine
