// SPDX-License-Identifier: Apache-2.0
// The initial archive of a machine: the image's kernel modules, then Carrel's own programs of today. Made
// anew when one of them changed, so that an update of Carrel reaches agents that exist already. Thread:
// blocking; two calls for one output are safe (the last whole file wins).
#pragma once

#include "app/files/sha256.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace carrel::images {

struct InitrdFile {
    std::filesystem::path source; // on the host
    std::string path;             // in the guest, relative: "sbin/carrel-guestd"
    std::uint32_t mode = 0755;
};

struct InitrdInputs {
    std::filesystem::path modules;      // modules.cpio; "" for the probe kit, whose kernel needs none
    std::filesystem::path carrelInit;   // becomes /init
    std::filesystem::path carrelGuestd; // becomes /sbin/carrel-guestd; "" for the probe kit
    std::filesystem::path carrelAsk;    // becomes /carrel/bin/carrel-ask, which guestd shows to the agent; likewise
    std::filesystem::path carrelAgent;  // becomes /carrel/bin/carrel-agent, the built-in agent; likewise
    std::vector<InitrdFile> extraFiles;
};

enum class InitrdOutcome { Made, Unchanged };
struct Initrd {
    files::Sha256 sha256;
    InitrdOutcome outcome = InitrdOutcome::Made;
};

// Beside `out` it keeps <out>.stamp: what the inputs looked like and the hash of the output. When nothing
// changed the output is hashed and compared, not made again; a damaged one is made again.
[[nodiscard]] Result<Initrd> composeInitrd(const InitrdInputs& inputs, const std::filesystem::path& out);

} // namespace carrel::images
