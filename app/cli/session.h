// SPDX-License-Identifier: Apache-2.0
// A command in a machine, joined to this process's standard streams: the caller's end of the descriptor that
// exec.open gives (app/api/wire.h, guest/protocol/control.h). One poll(2) loop; nothing of it blocks on one
// stream while another has work, and no more is taken from a stream than its window. Thread: main only
// (signals and the terminal belong to the process).
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <functional>

namespace carrel::cli {

// Own failures, as other programs that start programs have them (env(1), timeout(1)).
inline constexpr int kExitOwnFailure = 125;
inline constexpr int kExitCannotRun = 126;
inline constexpr int kExitNotFound = 127;

enum class SessionKind {
    Pipes,    // exec: the three streams apart
    Terminal, // shell: a terminal in the guest; ours is raw while it lasts
};

struct SessionSetup {
    UniqueFd channel;
    SessionKind kind = SessionKind::Pipes;
    int input = 0;
    int output = 1;
    int errors = 2;
    // Called once everything that must be opened is open, before the first byte of the guest's is read. Its
    // failure ends the session.
    std::function<Status()> confine;
};

// What signal number the guest is told for what we got; blocks INT, TERM, HUP, QUIT and WINCH for the
// process, so that a signal that comes before the session is not lost. Call before exec.open.
[[nodiscard]] Result<UniqueFd> catchSignals();

// The status to exit with: the command's own, 128 + n where signal n ended it. An error is of Carrel's; see
// exitStatusOf.
[[nodiscard]] Result<int> runSession(SessionSetup setup, UniqueFd signals);

// NotFound: 127. Refused, Unsupported, Io: found, but it cannot run: 126. Everything else: 125.
[[nodiscard]] int exitStatusOf(const Error& startError);

} // namespace carrel::cli
