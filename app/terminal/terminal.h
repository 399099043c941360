// SPDX-License-Identifier: Apache-2.0
// The loop of carrel-terminal: a session's channel on one side, a window on the other (app/api/terminal_wire.h), a screen between
// them. It confines itself first (invariants I1, I11): no privileges to be gained, no file where the kernel has Landlock, and of
// system calls those of a terminal's viewer; then it says so to the window, learns the size from it, and only then reads the first
// byte of the guest's. One thread, one poll(2).
#pragma once

#include "guest/protocol/unique_fd.h"

namespace carrel::terminal {

// Until the window goes, or the session has ended and the window was told. The process's exit status: 0 after either, 1 where it
// could not confine itself or the window sent nonsense.
[[nodiscard]] int run(UniqueFd channel, UniqueFd window);

} // namespace carrel::terminal
