// SPDX-License-Identifier: Apache-2.0
// Remembers what the probes of a host answered: one small JSON file, replaced as a whole. Anything unexpected
// in it means that it does not exist. Thread: any; blocking.
#pragma once

#include "hypervisor/libvirt/host_check.h"

namespace carrel::hypervisor {

// Changes whenever the answer might: host kernel, QEMU, libvirt, access to KVM, guest kernel, initrd, choice.
[[nodiscard]] std::string probeKey(const HostFacts& facts, const HostProbe& probe);

[[nodiscard]] std::optional<std::vector<ProbeTiming>> loadProbes(const std::filesystem::path& file,
                                                                 const std::string& key);
[[nodiscard]] Status saveProbes(const std::filesystem::path& file, const std::string& key,
                                const std::vector<ProbeTiming>& probes);

} // namespace carrel::hypervisor
