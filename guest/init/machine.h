// SPDX-License-Identifier: Apache-2.0
// The system calls with which PID 1 makes a bare kernel into a machine: mounts, modules, the move off the
// initramfs, the disk, power. Each function says on the console what failed and returns false; only main()
// decides what that means. Thread: PID 1's only thread.
#pragma once

#include <string>

namespace carrel::init {

inline constexpr const char* kModuleFolder = "/lib/carrel/modules";
inline constexpr const char* kModuleList = "/lib/carrel/modules.list";
inline constexpr const char* kGuestd = "/sbin/carrel-guestd";
inline constexpr const char* kDiskMount = "/disk";
inline constexpr const char* kPowerOffWish = "/run/carrel/poweroff";

// /proc, /sys and /dev: enough for modules and the command line.
[[nodiscard]] bool mountEarly();
// The whole of a small file, at most 64 KiB; empty when it cannot be read.
[[nodiscard]] std::string readSmallFile(const char* path);
// Loads what the list names (finit_module(2)) and forgets the files, which are of no use afterwards.
[[nodiscard]] bool loadModules();
// Moves every file of the initramfs onto a tmpfs and makes that the root: pivot_root(2), which guestd needs
// for the agent's own view, refuses to work from the kernel's rootfs.
[[nodiscard]] bool moveToTmpfsRoot();
// devpts, /dev/shm, /run, cgroup2, bpf and friends.
[[nodiscard]] bool mountRest();
// Waits for the disk to appear and mounts it at /disk.
enum class DiskUse { Kept, ReadOnly };
[[nodiscard]] bool mountDisk(const std::string& device, DiskUse use);
void raiseLimits();
// Ends every process, writes everything out, unmounts and powers off. Does not return.
[[noreturn]] void powerOff();
// Powers off without touching processes or disks: for the probe.
[[noreturn]] void powerOffNow();

} // namespace carrel::init
