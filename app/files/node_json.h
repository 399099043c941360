// SPDX-License-Identifier: Apache-2.0
// NodeState in JSON, for frozen sets and journals: fields in a fixed order, what has its default is left out.
// Internal to app/files. Thread: pure functions.
#pragma once

#include "app/files/frozen_set.h"

#include <boost/json/object.hpp>

namespace carrel::files {

[[nodiscard]] boost::json::object nodeToJson(const NodeState& state);
[[nodiscard]] Result<NodeState> nodeFrom(const boost::json::object& object);

} // namespace carrel::files
