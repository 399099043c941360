// SPDX-License-Identifier: Apache-2.0
// Forwards that an agent's log left open: the engine was killed, or the log could not be written as they ended. None outlives the
// engine that opened it (forwards.h), so at its next start each of them is over, whatever the log says. Thread: any; blocks for the
// disk.
#pragma once

#include "app/activity/activity_log.h"

#include <vector>

namespace carrel::egress {

// What is to be written down, oldest first: one ForwardClosed for each. Before anything is forwarded anew.
[[nodiscard]] Result<std::vector<activity::Event>> forwardsLeftOpen(activity::ActivityLog& log);

} // namespace carrel::egress
