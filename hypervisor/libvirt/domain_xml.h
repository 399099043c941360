// SPDX-License-Identifier: Apache-2.0
// A machine's definition in libvirt's language (https://libvirt.org/formatdomain.html), built from typed
// values only. Every text passes the one escaping writer. The backing chain is explicit, so nothing is ever
// probed: a guest can write any header it likes into its own disk. No network device exists in it (I3).
// Thread: pure functions.
#pragma once

#include "hypervisor/api/machine_spec.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::hypervisor {

inline constexpr std::string_view kMetadataSpace = "https://carrel.invalid/machine/1";

// What a domain of ours says about itself; enough to use it after the engine was restarted.
struct MachineNote {
    MachineId id;
    std::filesystem::path runtimeFolder;
};

// `spec` must have passed validate().
[[nodiscard]] std::string buildDomainXml(const MachineSpec& spec, const std::filesystem::path& emulator);

// Reads the metadata element back as libvirt gives it. Strict: exactly what buildDomainXml writes.
[[nodiscard]] Result<MachineNote> readNote(std::string_view element);

// The kernel's command line as the guest gets it: the spec's, the console's, and for software emulation what
// makes it start faster. Bug work-arounds for speculation are switched off there only: they guard against
// side channels of a real processor.
[[nodiscard]] std::string fullCommandLine(const MachineSpec& spec);

} // namespace carrel::hypervisor
