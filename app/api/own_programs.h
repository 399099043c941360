// SPDX-License-Identifier: Apache-2.0
// Where the programs are that came with the one that runs: in its folder, as a build has them, or, where it is installed, in
// ../libexec/carrel. Thread: any.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>
#include <string>

namespace carrel::api {

// NotFound: there is none that may be run.
[[nodiscard]] Result<std::filesystem::path> ownProgram(const std::string& name);

} // namespace carrel::api
