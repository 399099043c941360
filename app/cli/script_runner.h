// SPDX-License-Identifier: Apache-2.0
// Scripts that this program carries, given to python3 through its standard input: on this computer, and in an
// agent's machine. Thread: main; both block until the script has ended.
#pragma once

#include "app/cli/context.h"

#include <string>
#include <string_view>
#include <vector>

namespace carrel::cli {

enum class ScriptOutput {
    Here,   // on standard output
    Errors, // on standard error, because standard output belongs to JSON
};

// The script's exit status; 128 + n where signal n ended it. NotFound: there is no python3.
[[nodiscard]] Result<int> runHostScript(std::string_view script, const std::vector<std::string>& arguments);

// In the machine, in folder `cwd`. Its output is shown by a child process that is confined like `carrel exec`
// (I1, I11), so that this one can go on to speak to the engine: only the child reads a guest's bytes. Status:
// the script's, or 125 to 127 (session.h) where it could not run; then the child has said why.
[[nodiscard]] Result<int> runGuestScript(Context& context, const std::string& agent, const std::string& cwd,
                                         std::string_view script, ScriptOutput output);

} // namespace carrel::cli
