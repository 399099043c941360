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
// Forward at once, and back by more than kLittle; by less it goes slower until it is right (adjtime(3)), so that no program sees time go
// back for a little.
[[nodiscard]] Status setClock(std::chrono::nanoseconds sinceEpoch);
inline constexpr std::chrono::milliseconds kLittle{128}; // as NTP has it (RFC 5905, STEPT)
enum class Correction { Step, Slow };
[[nodiscard]] Correction correctionBy(std::chrono::nanoseconds ahead); // of a clock that is ahead by so much, or behind
// /proc/sys/kernel/random/boot_id: tells a restarted machine from a resumed one.
[[nodiscard]] std::string bootId();

} // namespace carrel::guestd
