// SPDX-License-Identifier: Apache-2.0
// Which role may call which verb (design, section 3). Closed: a verb that is not named here is the owner's
// alone, so that a new one is out of a client's reach until somebody puts it here and gives a reason. The same
// stands in "x-roles" of each verb's schema; a test compares the two.
//
// What a client may: look at the agents that its token names, and work in them.
//   engine.info    which interface this is; counts the client's own agents only
//   agent.list     its own agents only
//   agent.wait     when that is other than it was; what becomes of another's agent is no news to it
//   share.list     no more than agent.list tells: names and modes. All that changes a share is the owner's
//   exec.open      its task. Ends with the token
//   timeline       reading
//   changes, changes.wait, diff     reading. A client's look never pushes out a review that the owner looks at,
//                  holds no share of mode auto back, and shows nothing of a folder that was revoked
//   history        reading
// What it may not, where one might ask:
//   agent.start    the owner's stop is a brake; whoever may start can release it
//   agent.pause    a client that may pause holds up everybody at that agent; agent.resume is the owner's brake again
//   agent.stop     ends the work of everybody at that agent, the owner's own terminal too
//   discard        throws away what waits for the owner's eyes
//   token.*        whoever makes tokens can make himself a better one
// Thread: pure functions.
#pragma once

#include "app/api/wire.h"

#include <array>
#include <string_view>

namespace carrel::api {

// `auth` is no handler's: the client's socket answers it by itself (auth.h).
inline constexpr std::array<std::string_view, 10> kClientVerbs{
    "agent.list", "agent.wait", "changes",    "changes.wait", "diff",
    "engine.info", "exec.open", "history", "share.list",   "timeline",
};

[[nodiscard]] constexpr bool mayCall(Role role, std::string_view verb) {
    if (role == Role::Owner) {
        return true;
    }
    for (const auto each : kClientVerbs) {
        if (each == verb) {
            return true;
        }
    }
    return false;
}

} // namespace carrel::api
