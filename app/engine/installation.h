// SPDX-License-Identifier: Apache-2.0
// Carrel's own programs and files that an engine hands out: in a build or where a package put them (app/api/own_programs.h).
// Thread: pure, looks at the file system.
#pragma once

#include "app/api/own_programs.h"
#include "guest/protocol/result.h"

#include <filesystem>

namespace carrel::engine {

struct Installation {
    std::filesystem::path clerk;     // carrel-clerk
    std::filesystem::path recorder;  // carrel-recorder
    std::filesystem::path qemu;      // carrel-qemu, the wrapper
    std::filesystem::path init;      // carrel-init, for the guest
    std::filesystem::path guestd;    // carrel-guestd, for the guest
    std::filesystem::path ask;       // carrel-ask, for the agent
    std::filesystem::path agent;     // carrel-agent, the built-in one
    std::filesystem::path recipe;    // folder of the image recipe
};

// NotFound names what is missing.
[[nodiscard]] Result<Installation> findInstallation(const api::OwnPlaces& places);

} // namespace carrel::engine
