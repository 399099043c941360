// SPDX-License-Identifier: Apache-2.0
// Where Carrel's own programs and files are: beside this program (a build's bin folder), or where a package put them
// (<prefix>/bin, <prefix>/lib/carrel, <prefix>/share/carrel). Thread: pure, looks at the file system.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>

namespace carrel::engine {

struct Installation {
    std::filesystem::path clerk;     // carrel-clerk
    std::filesystem::path qemu;      // carrel-qemu, the wrapper
    std::filesystem::path init;      // carrel-init, for the guest
    std::filesystem::path guestd;    // carrel-guestd, for the guest
    std::filesystem::path ask;       // carrel-ask, for the agent
    std::filesystem::path recipe;    // folder of the image recipe
};

// NotFound names what is missing.
[[nodiscard]] Result<Installation> findInstallation();

} // namespace carrel::engine
