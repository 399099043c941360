// SPDX-License-Identifier: Apache-2.0
// Finding out what works on a host by booting a probe guest through the very path that agents' machines take:
// libvirt, the wrapper, the same definition. A probe by hand-started QEMU could succeed where libvirt, its
// permissions or the confinement fail, and the 0.3 s that libvirt costs do not matter here.
//
// How a dead accelerator is told from a slow one: software emulation is tried first, on the same host with
// the same guest, and the longest silence of its console is measured. Hardware that works is many times
// faster, so three times that silence, and two seconds for the process to come up, without one more byte
// means that it does not run. A busy host slows both alike, so no fixed time decides.
//
// Split in three so that each can be tested alone: facts (read from the system), probes (boots), conclude
// (pure). Thread: any; checkHost blocks for the length of two boots.
#pragma once

#include "hypervisor/api/backend.h"
#include "hypervisor/libvirt/virt_api.h"

#include <optional>
#include <string>
#include <vector>

namespace carrel::hypervisor {

enum class KvmAccess { Usable, Missing, NoPermission };

struct HostFacts {
    KvmAccess kvm = KvmAccess::Missing;
    std::optional<VirtVersions> versions; // absent: virtProblem says why
    std::optional<Error> virtProblem;
    bool emulatorPresent = false;
    bool confinement = false; // the kernel has Landlock
    bool root = false;
    std::string kernelRelease;
    std::uint64_t freeDiskBytes = 0;
    std::uint64_t freeMemoryBytes = 0;

    [[nodiscard]] static HostFacts read(VirtApi& api, const std::filesystem::path& emulator,
                                        const HostProbe& probe);
};

inline constexpr std::uint64_t kComfortableDisk = std::uint64_t{5} << 30;
inline constexpr std::uint64_t kComfortableMemory = std::uint64_t{2} << 30;

// One boot. Silence longer than `patience` ends it. Returns what was seen and the longest silence.
struct ProbeOutcome {
    ProbeTiming timing;
    std::chrono::milliseconds longestSilence{0};
};
[[nodiscard]] Result<ProbeOutcome> bootProbe(Backend& backend, const HostProbe& probe,
                                             Accelerator accelerator, std::chrono::milliseconds patience,
                                             const std::stop_token& stop);

// How long hardware may be silent, given the longest silence of software emulation.
[[nodiscard]] std::chrono::milliseconds hardwarePatience(std::chrono::milliseconds softwareSilence);

// Pure: from facts and probes to the report. Blockers in the facts mean that no probe was run.
[[nodiscard]] std::vector<Finding> blockers(const HostFacts& facts);
[[nodiscard]] HostReport conclude(const HostFacts& facts, AcceleratorChoice choice,
                                  std::vector<ProbeTiming> probes);

[[nodiscard]] Result<HostReport> checkHost(Backend& backend, const HostFacts& facts, const HostProbe& probe,
                                           const Backend::Progress& progress, std::stop_token stop);

} // namespace carrel::hypervisor
