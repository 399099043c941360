// SPDX-License-Identifier: Apache-2.0
// Machines by libvirt and QEMU, without root: qemu:///session.
//
// Domains are transient (virDomainCreateXML): nothing of ours stays in libvirt's configuration when a machine
// ends, by whatever cause, and there is no stored definition that could differ from what Carrel would build
// today. What is kept (the overlay) is Carrel's own file.
// A domain is ours only if its name, its UUID and its metadata element all name this home.
#pragma once

#include "hypervisor/api/backend.h"

#include <filesystem>
#include <memory>
#include <string>

namespace carrel::hypervisor {

class VirtApi;

struct LibvirtOptions {
    std::string uri = "qemu:///session";
    // The program carrel-qemu, absolute: libvirt starts it as the emulator.
    std::filesystem::path emulator;
};

// Touches nothing yet: the connection is made at first use, kept (libvirt's session daemon ends after 120 s
// without clients), and made again when it broke. Refused when run as root.
[[nodiscard]] Result<std::unique_ptr<Backend>> makeLibvirtBackend(LibvirtOptions options);
// The same over another wrapper of libvirt's functions, for tests.
[[nodiscard]] Result<std::unique_ptr<Backend>> makeLibvirtBackend(LibvirtOptions options,
                                                                  std::shared_ptr<VirtApi> api);

} // namespace carrel::hypervisor
