// SPDX-License-Identifier: Apache-2.0
// A server of an agent's that is shown, in the form of the interface (schema/common.json: forward). Thread: pure functions.
#pragma once

#include "app/egress/forwards.h"

namespace carrel::engine {

[[nodiscard]] boost::json::object describeForward(const egress::Forward& forward);

} // namespace carrel::engine
