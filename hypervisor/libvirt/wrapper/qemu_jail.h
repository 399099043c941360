// SPDX-License-Identifier: Apache-2.0
// The confinement that QEMU is started in. In libvirt's session mode nothing else keeps an escaped QEMU from
// the user's home; QEMU's own -sandbox comes on top (it forbids starting programs).
// Thread: confineQemu once, from main, before any other thread.
#pragma once

#include "guest/protocol/result.h"
#include "hypervisor/confine/confine.h"
#include "hypervisor/libvirt/wrapper/qemu_policy.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::hypervisor {

inline constexpr const char* kRealQemu = "/usr/bin/qemu-system-x86_64";

// What QEMU sees. Without a policy: the system's programs and libraries, and the one folder of libvirt's
// capability probe, taken from the arguments if it looks like one. With a policy: the same, the policy's
// files, and libvirt's key file of this very domain instead of the probe's folder.
[[nodiscard]] confine::FileView qemuView(const std::optional<QemuPolicy>& policy,
                                         std::span<const std::string> arguments);

// The file of libvirt's per-domain secret, or empty. Only
// …/libvirt/qemu/lib/domain-<n>-<name>/master-key.aes.
[[nodiscard]] std::string domainKeyFile(std::span<const std::string> arguments);
// The folder of libvirt's capability probe, or empty. Only …/libvirt/qemu/lib/qmp-<random>.
[[nodiscard]] std::string capabilityProbeFolder(std::span<const std::string> arguments);

// Landlock, and for a machine also seccomp: no new socket and no connect, because Landlock does not cover
// named unix sockets, and behind one of those (libvirt's own, a session bus) waits somebody who would start
// an unconfined program. QEMU needs none: libvirt hands it listening descriptors.
[[nodiscard]] Status confineQemu(const std::optional<QemuPolicy>& policy,
                                 std::span<const std::string> arguments);

} // namespace carrel::hypervisor
