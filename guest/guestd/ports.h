// SPDX-License-Identifier: Apache-2.0
// Finds the virtio ports by the names that the host gave them. There is no udev in the initrd, so the names
// come from sysfs (virtio_console). Thread: any.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <string>

namespace carrel::guestd {

struct PortFolders {
    std::string names = "/sys/class/virtio-ports";
    std::string devices = "/dev";
};

// The device of the port with this name. NotFound when there is none (yet).
[[nodiscard]] Result<std::string> findPort(const std::string& name, const PortFolders& folders = {});
// Waits for the port to appear (the host announces ports one by one while the driver starts) and opens it.
[[nodiscard]] Result<UniqueFd> openPort(const std::string& name, const PortFolders& folders = {});

} // namespace carrel::guestd
