// SPDX-License-Identifier: Apache-2.0
// Kills all processes of a session. Thread: any. See setsid(2), proc(5).
#pragma once

#include <sys/types.h>

namespace carrel::agent {

// `leader`: a child of ours that has not been reaped, and that leads a session and its process group. How many others of its session ran
// (nobody knows without /proc; the process group ends all the same).
unsigned endSession(pid_t leader);

} // namespace carrel::agent
