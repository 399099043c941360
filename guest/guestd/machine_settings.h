// SPDX-License-Identifier: Apache-2.0
// What guestd sets in the machine itself: kernel settings that are sealed before the agent exists, the size
// of the disk's file system, the clock. Real root only. Thread: any.
#pragma once

#include "guest/protocol/result.h"

#include <chrono>
#include <string>
#include <vector>

namespace carrel::guestd {

// Each setting is written for a reason given in the .cpp. A setting that the kernel does not have is skipped
// and its path answered, so that the start says so instead of failing.
[[nodiscard]] std::vector<std::string> sealKernelSettings();
// Grows the ext4 file system beneath `mount` online to the size of its device (EXT4_IOC_RESIZE_FS). Bytes it
// has then.
[[nodiscard]] Result<std::uint64_t> growFileSystem(const std::string& mount);
// Starts the processors that the kernel was told to leave alone (maxcpus=). The first that does not start ends it.
[[nodiscard]] Status startProcessors(const std::string& folder = "/sys/devices/system/cpu");
[[nodiscard]] Status setClock(std::chrono::nanoseconds sinceEpoch);
// /proc/sys/kernel/random/boot_id: tells a restarted machine from a resumed one.
[[nodiscard]] std::string bootId();

} // namespace carrel::guestd
