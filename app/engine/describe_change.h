// SPDX-License-Identifier: Apache-2.0
// One change of a review in the words of the interface (schema/common.json, change). Thread: pure function.
#pragma once

#include "app/agents/agent.h"

#include <boost/json/object.hpp>

namespace carrel::engine {

[[nodiscard]] boost::json::object describeChange(const agents::EntryView& view);

} // namespace carrel::engine
