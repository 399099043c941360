// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/machine_settings.h"

#include "guest/protocol/unique_fd.h"

#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

struct Setting {
    const char* name; // beneath /proc/sys
    const char* value;
    const char* why;
};

// The agent is not root of the machine, so it can write none of these. They take away what any process may
// use against the kernel, and keep the machine's own root from loosening it by accident.
constexpr Setting kSettings[] = {
    {"kernel/kptr_restrict", "2", "kernel addresses help an exploit and nobody else here"},
    {"kernel/dmesg_restrict", "1", "the kernel log names addresses and what guestd does"},
    {"kernel/unprivileged_bpf_disabled", "1", "bpf(2) is guestd's; 1 cannot be taken back"},
    {"net/core/bpf_jit_harden", "2", "no constants of the agent's choosing in generated code"},
    {"kernel/perf_event_paranoid", "3", "perf_event_open(2) is a wide surface"},
    {"kernel/yama/ptrace_scope", "2", "only who is root of its own namespace debugs there, and nobody beyond it"},
    {"kernel/kexec_load_disabled", "1", "no other kernel; cannot be taken back"},
    {"kernel/sysrq", "0", "no key combinations on a console the host draws"},
    {"kernel/core_pattern", "core", "never a helper program that runs as the machine's root"},
    {"fs/suid_dumpable", "0", "no memory images of processes that changed their rights"},
    {"fs/protected_symlinks", "1", "no links in shared folders like /tmp followed for somebody else"},
    {"fs/protected_hardlinks", "1", "the same for hard links"},
    {"fs/protected_fifos", "2", "the same for FIFOs"},
    {"fs/protected_regular", "2", "the same for files"},
    {"vm/unprivileged_userfaultfd", "0", "it widens race windows in the kernel"},
    {"kernel/watchdog", "0", "a machine that was paused is no locked-up one; and it wakes every processor for nothing"},
    {"vm/compaction_proactiveness", "0", "it wakes an idle machine twice a second; compaction on demand stays"},
    {"vm/stat_interval", "30", "the same, for counters that nobody watches by the second"},
    {"kernel/panic", "10", "a crashed kernel ends instead of hanging, and the host sees it"},
    // Last: everything needed is loaded by now, and it cannot be taken back.
    {"kernel/modules_disabled", "1", "no code enters the kernel any more, not even by automatic loading"},
};

// The kernel's own word on what even root may not do to it; set on its command line, and here for a machine that was started by an older
// Carrel's. It only ever gets stricter (kernel_lockdown(7)).
constexpr const char* kLockdown = "/sys/kernel/security/lockdown";

bool lockDown() {
    {
        const UniqueFd file(::open(kLockdown, O_WRONLY | O_CLOEXEC));
        constexpr std::string_view kLevel = "integrity";
        [[maybe_unused]] const ssize_t done = ::write(file.get(), kLevel.data(), kLevel.size()); // EPERM where it is so already
    }
    std::ifstream file(kLockdown);
    std::string levels;
    std::getline(file, levels);
    return levels.find("[integrity]") != std::string::npos;
}

} // namespace

std::vector<std::string> sealKernelSettings() {
    std::vector<std::string> missing;
    if (!lockDown()) {
        missing.emplace_back("lockdown");
    }
    for (const auto& setting : kSettings) {
        const std::string path = std::string("/proc/sys/") + setting.name;
        const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        const std::string_view value = setting.value;
        if (!file || ::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
            missing.emplace_back(setting.name);
        }
    }
    return missing;
}

Result<std::uint64_t> growFileSystem(const std::string& mount) {
    const UniqueFd folder(::open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    struct statfs fs {};
    if (!folder || ::fstat(folder.get(), &info) != 0 || ::fstatfs(folder.get(), &fs) != 0) {
        return failErrno("looking at the disk");
    }
    const std::string path = "/sys/dev/block/" + std::to_string(major(info.st_dev)) + ":" +
                             std::to_string(minor(info.st_dev)) + "/size";
    std::ifstream file(path);
    std::uint64_t sectors = 0;
    if (!(file >> sectors) || fs.f_bsize <= 0) {
        return fail(ErrorCode::Io, "the disk's size is not known");
    }
    constexpr std::uint64_t kSector = 512; // always, whatever the device's own blocks are (sysfs-block)
    std::uint64_t blocks = sectors * kSector / static_cast<std::uint64_t>(fs.f_bsize);
    // fs/ext4/ext4.h; not in any exported header.
    constexpr unsigned long kResize = _IOW('f', 16, std::uint64_t);
    if (::ioctl(folder.get(), kResize, &blocks) != 0) {
        return failErrno("growing the file system to " + std::to_string(blocks) + " blocks");
    }
    return blocks * static_cast<std::uint64_t>(fs.f_bsize);
}

Status startProcessors(const std::string& folder) {
    for (unsigned number = 1;; ++number) { // the first cannot be stopped
        const auto path = folder + "/cpu" + std::to_string(number) + "/online";
        const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        if (!file) {
            return errno == ENOENT ? Status{} : failErrno("starting processor " + std::to_string(number));
        }
        char now = 0;
        if (::pread(file.get(), &now, 1, 0) == 1 && now == '0' && ::pwrite(file.get(), "1", 1, 0) != 1) {
            return failErrno("starting processor " + std::to_string(number));
        }
    }
}

Correction correctionBy(std::chrono::nanoseconds ahead) {
    return ahead > std::chrono::nanoseconds(0) && ahead <= kLittle ? Correction::Slow : Correction::Step;
}

Status setClock(std::chrono::nanoseconds sinceEpoch) {
    timespec now{};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    const auto ahead = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) - sinceEpoch;
    if (correctionBy(ahead) == Correction::Slow) {
        const timeval back{0, -static_cast<suseconds_t>(ahead / std::chrono::microseconds(1))};
        if (::adjtime(&back, nullptr) == 0) {
            return {};
        }
    }
    now.tv_sec = static_cast<time_t>(sinceEpoch.count() / 1'000'000'000);
    now.tv_nsec = static_cast<long>(sinceEpoch.count() % 1'000'000'000);
    if (::clock_settime(CLOCK_REALTIME, &now) != 0) {
        return failErrno("setting the clock");
    }
    return {};
}

std::string bootId() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(file, id);
    return id;
}

} // namespace carrel::guestd
