// SPDX-License-Identifier: Apache-2.0
// The command line: verbs in, requests to the engine out, answers as text for people or as JSON.
// Exit status: 0 done, 1 refused or failed with one line on stderr, 2 usage. exec and shell: the command's
// own status, and 125 to 127 for failures of Carrel's (session.h). Thread: main.
#pragma once

namespace carrel::cli {

[[nodiscard]] int run(int argc, char** argv);

} // namespace carrel::cli
