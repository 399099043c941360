// SPDX-License-Identifier: Apache-2.0
// Runs one command of bash in a session and process group of its own (setsid(2)), with nothing to read, and waits for it. However it
// ends, whatever is left of its session is killed before this returns: at once and with SIGKILL, because a person who says stop, and a
// time limit, mean now, and there is no polite signal that all programs heed. What made itself a session of its own (setsid(1)) stays.
// Thread: any, several at a time. See posix_spawn(3), pidfd_open(2).
#pragma once

#include "guest/protocol/result.h"

#include <chrono>
#include <stop_token>

namespace carrel::agent {

struct Command {
    std::string text;      // goes to bash as one argument: nothing quotes or expands it before
    std::string directory; // to run it in
    std::chrono::milliseconds limit{0};
    std::size_t outputBytes = 0; // kept of its output, about: its beginning and its end
};

enum class CommandEnd {
    Exited,   // number: its status
    Signal,   // number: the signal that ended it, which was not ours
    TimeLimit,
    Stopped,
};

struct CommandOutcome {
    CommandEnd end = CommandEnd::Exited;
    int number = 0;
    std::string output;   // what it wrote to both of its ends, in its order; valid UTF-8
    unsigned others = 0;  // processes of its session that still ran when it exited by itself, and were ended
};

// InvalidArgument: a command or a folder that cannot be. NotFound: no such folder, no bash. Io.
[[nodiscard]] Result<CommandOutcome> runCommand(const Command& command, const std::stop_token& stop);

} // namespace carrel::agent
