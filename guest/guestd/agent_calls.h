// SPDX-License-Identifier: Apache-2.0
// The calls of the system that no program of the agent's makes, whatever its rights: those that load code into the kernel, watch it,
// replace it, or have been the way into it most often, and which ordinary work does not need. They answer EPERM, as they do without rights,
// and that for every program of the agent's until its end (seccomp(2), SECCOMP_MODE_FILTER): a filter is inherited and cannot be taken off.
//
// prepareAgentCalls() builds the filter, in guestd; limitAgentCalls() puts it on the calling thread, which must have no_new_privs, between
// fork and exec. Thread: prepare before the first limit, on one thread; limit from any.
#pragma once

#include "guest/protocol/result.h"

#include <string_view>
#include <vector>

namespace carrel::guestd {

[[nodiscard]] Status prepareAgentCalls();
// False: errno says why; the process must end then.
[[nodiscard]] bool limitAgentCalls();
// Their names, for tests.
[[nodiscard]] std::vector<std::string_view> namesOfForbiddenCalls();

} // namespace carrel::guestd
