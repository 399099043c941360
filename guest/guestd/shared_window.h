// SPDX-License-Identifier: Apache-2.0
// Finds the memory that host and guest share (WindowSpec of hypervisor/api/machine_spec.h): a PCI device of
// QEMU's without a driver (docs/specs/ivshmem-spec.rst), whose second region is that memory; sysfs lets it be
// mapped (kernel, Documentation/PCI/sysfs-pci.rst). Thread: any.
#pragma once

#include "guest/protocol/bytes.h"

#include <string>

namespace carrel::guestd {

// Empty where the machine has no such device or the kernel does not let it be mapped (lockdown(7)): everything
// then goes over the channels alone. The mapping stays until the process ends.
[[nodiscard]] ByteSpan openSharedWindow(const std::string& devices = "/sys/bus/pci/devices");

} // namespace carrel::guestd
