// SPDX-License-Identifier: Apache-2.0
// carrel-ask, but for its main(). Thread: one; blocks as long as it is told to wait.
#pragma once

#include "guest/ask/ask_places.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::ask {

// Of sysexits.h where there is one.
inline constexpr int kExitAllowed = 0;
inline constexpr int kExitDenied = 1;
inline constexpr int kExitExpired = 2;
inline constexpr int kExitCancelled = 3;
inline constexpr int kExitNothing = 4; // why: nothing there
inline constexpr int kExitUsage = 64;
inline constexpr int kExitUnavailable = 69;
inline constexpr int kExitOpen = 75; // EX_TEMPFAIL: come back

struct Surroundings {
    std::string socket = kSocket;
    std::string workspace = kWorkspaceFolder;
    std::string workingFolder; // empty: there is none any more
    std::function<void(std::string_view)> out;
    std::function<void(std::string_view)> err;
};

[[nodiscard]] int run(const std::vector<std::string>& words, const Surroundings& at);

} // namespace carrel::ask
