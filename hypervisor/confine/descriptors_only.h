// SPDX-License-Identifier: Apache-2.0
// The jail of a small program that reads a guest's bytes from the descriptors that it was given, writes to them, and needs nothing else:
// carrel-terminal, carrel-recorder, carrel-player. Thread: as confine.h; from main, in this order.
#pragma once

#include "guest/protocol/result.h"

namespace carrel::confine {

// No core file (what is shown and typed stays out of files), unreadable to other processes, and no more than 256 MiB of memory (setrlimit(2),
// PR_SET_DUMPABLE): beyond that this process dies, not the computer.
void limitReader();

// No file, and the calls of SyscallProfile::TerminalViewer. Landlock's ABI; 0 where there is none: then the list of calls alone keeps files
// shut, as it does at the command line. An error: the process must end before it reads anything.
[[nodiscard]] Result<int> keepDescriptorsOnly();

} // namespace carrel::confine
