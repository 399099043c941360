// SPDX-License-Identifier: Apache-2.0
// A search in a process of its own. The C library's matcher can work for minutes on one line, and knows nothing of stopping: a process can
// be killed. It is this program once more, in another role, because between fork(2) and exec(2) of a program with threads nearly nothing
// may be done. What it is asked comes to its standard input, and what it found leaves by its standard output, as JSON.
// Thread: any, several at a time. See posix_spawn(3), setrlimit(2).
#pragma once

#include "guest/agent/tools/search_tool.h"

namespace carrel::agent {

// What `input` asks for, as SearchTool has it. Ends the process at once on `stop`, and when its time is over.
[[nodiscard]] ToolOutcome searchInChild(const boost::json::object& input, const std::string& folder, const SearchLimits& limits,
                                        const std::vector<std::string>& program, const std::stop_token& stop);

// The child's whole work, for a main(): its exit status.
[[nodiscard]] int runSearchChild();

} // namespace carrel::agent
