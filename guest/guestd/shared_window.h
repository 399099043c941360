// SPDX-License-Identifier: Apache-2.0
// Finds the memory that host and guest share (WindowSpec of hypervisor/api/machine_spec.h): a PCI device of
// QEMU's without a driver (docs/specs/ivshmem-spec.rst), whose second region is that memory; sysfs lets it be
// mapped (kernel, Documentation/PCI/sysfs-pci.rst). Thread: any.
#pragma once

#include "guest/worktree/read_window.h"

#include <memory>
#include <string>

namespace carrel::guestd {

// Nothing where the machine has no such device or the kernel does not let it be mapped (lockdown(7)): files
// then go over the channel alone. The mapping stays until the process ends.
[[nodiscard]] std::shared_ptr<worktree::ReadWindow>
openSharedWindow(const std::string& devices = "/sys/bus/pci/devices");

} // namespace carrel::guestd
