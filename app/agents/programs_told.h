// SPDX-License-Identifier: Apache-2.0
// Private to the agent: what its machine has been told of which programs run, and what it still has to be. Owner: the agent. Thread: any;
// the first two by the mutex, which is held while a policy is sent and taken before the agent's own.
#pragma once

#include "app/exec/gate_orders.h"

#include <atomic>
#include <mutex>

namespace carrel::agents {

struct ProgramsTold {
    mutable std::mutex mutex;
    std::optional<exec::Orders> orders; // what the machine at the door knows
    std::uint64_t age = 0;
    std::atomic<bool> due = false;  // the supervisor looks at once
    std::atomic<bool> owed = false; // and with each of its rounds
    std::atomic<bool> anew = false; // guestd began anew: it asks about nothing until it is told
    std::atomic<bool> complained = false;
};

} // namespace carrel::agents
