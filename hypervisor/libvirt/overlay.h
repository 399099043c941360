// SPDX-License-Identifier: Apache-2.0
// Making an agent's own disk layer: an empty qcow2 file over the base (QEMU's docs/interop/qcow2.txt, version
// 3). Written here rather than by qemu-img, so that the process with authority starts no program for it.
// Thread: blocking, any.
#pragma once

#include "hypervisor/api/machine_spec.h"

namespace carrel::hypervisor {

// Makes disk.overlay, mode 0600, unless it is there already, or none is wanted; an existing file is never changed. A crash
// leaves either no overlay or a whole one. InvalidArgument when the base is missing or larger than the disk;
// Refused when the overlay is not a regular file of ours.
[[nodiscard]] Status ensureOverlay(const DiskSpec& disk);

} // namespace carrel::hypervisor
