// SPDX-License-Identifier: Apache-2.0
// Which files one machine's QEMU may see. The back end writes it, as one line of JSON, into the environment
// of the emulator (libvirt's <qemu:env>); carrel-qemu reads it there before QEMU exists. It is no file, so
// QEMU cannot rewrite it and nothing can exchange it between check and use. No policy means no user's file at
// all, which is what libvirt's capability probes get: a lost or damaged policy fails closed. Thread: values
// and pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace carrel::hypervisor {

inline constexpr const char* kQemuPolicyVariable = "CARREL_QEMU_POLICY";
inline constexpr std::size_t kMaxQemuPolicyBytes = 16 * 1024; // four paths of kMaxPath, escaped

struct QemuPolicy {
    std::vector<std::string> readOnly;  // base, kernel, initrd
    std::vector<std::string> readWrite; // the overlay
    bool hardware = false;              // /dev/kvm

    bool operator==(const QemuPolicy&) const = default;
};

[[nodiscard]] std::string writeQemuPolicy(const QemuPolicy& policy);
// Malformed for anything but exactly what writeQemuPolicy makes: absolute paths, at most eight of each kind.
[[nodiscard]] Result<QemuPolicy> readQemuPolicy(std::string_view text);

} // namespace carrel::hypervisor
