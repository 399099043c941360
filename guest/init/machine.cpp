// SPDX-License-Identifier: Apache-2.0
#include "guest/init/machine.h"

#include "guest/init/console.h"
#include "guest/init/init_logic.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::init {

namespace {

enum class Need { Required, Optional };

struct Mount {
    const char* type;
    const char* target;
    unsigned long flags;
    const char* options;
    Need need;
};

bool mountOne(const Mount& wanted, const char* step) {
    if (::mkdir(wanted.target, 0755) != 0 && errno != EEXIST && errno != EROFS && errno != EPERM) {
        if (wanted.need == Need::Required) {
            failedErrno(step, std::string("making ") + wanted.target);
            return false;
        }
        return true;
    }
    if (::mount(wanted.type, wanted.target, wanted.type, wanted.flags, wanted.options) != 0 &&
        errno != EBUSY && wanted.need == Need::Required) {
        failedErrno(step, std::string("mounting ") + wanted.target);
        return false;
    }
    return true;
}

void sleepFor(std::chrono::milliseconds time) {
    timespec span{};
    span.tv_sec = static_cast<time_t>(time.count() / 1000);
    span.tv_nsec = static_cast<long>(time.count() % 1000) * 1'000'000L;
    ::nanosleep(&span, nullptr);
}

bool loadModule(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        failedErrno("modules", "opening " + path);
        return false;
    }
    const long answer = ::syscall(SYS_finit_module, fd, "", 0);
    const int number = errno;
    ::close(fd);
    // EEXIST: loaded already. ENODEV: the module found none of its hardware and took itself out.
    if (answer != 0 && number != EEXIST && number != ENODEV) {
        errno = number;
        failedErrno("modules", "loading " + path);
        return false;
    }
    return true;
}

bool copyFile(int fromDir, int toDir, const char* name, mode_t mode) {
    const int from = ::openat(fromDir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0) {
        return false;
    }
    const int to = ::openat(toDir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
    bool good = to >= 0;
    std::array<char, 65536> buffer;
    while (good) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got == 0) {
            break;
        }
        good = got > 0 && ::write(to, buffer.data(), static_cast<std::size_t>(got)) == got;
    }
    if (to >= 0) {
        good = ::fchmod(to, mode & 07777) == 0 && good;
        ::close(to);
    }
    ::close(from);
    return good;
}

// Moves one folder's content; folders that are on another file system (the mounts) are left where they are.
bool moveTree(int fromDir, int toDir, dev_t device) {
    const int listFd = ::openat(fromDir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* list = listFd < 0 ? nullptr : ::fdopendir(listFd);
    if (list == nullptr) {
        return false;
    }
    bool good = true;
    while (good) {
        const dirent* entry = ::readdir(list);
        if (entry == nullptr) {
            break;
        }
        const char* name = entry->d_name;
        struct stat info {};
        if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0 ||
            ::fstatat(fromDir, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_dev != device) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            const int from = ::openat(fromDir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            good = ::mkdirat(toDir, name, info.st_mode & 07777) == 0 || errno == EEXIST;
            const int to = ::openat(toDir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            good = good && from >= 0 && to >= 0 && moveTree(from, to, device);
            ::close(from);
            ::close(to);
            ::unlinkat(fromDir, name, AT_REMOVEDIR); // fails where a mount lies beneath; harmless
        } else if (S_ISREG(info.st_mode)) {
            good = copyFile(fromDir, toDir, name, info.st_mode);
            ::unlinkat(fromDir, name, 0);
        } else if (S_ISLNK(info.st_mode)) {
            std::array<char, 4096> target{};
            good = ::readlinkat(fromDir, name, target.data(), target.size() - 1) > 0 &&
                   ::symlinkat(target.data(), toDir, name) == 0;
        }
    }
    ::closedir(list);
    return good;
}

} // namespace

bool mountEarly() {
    constexpr unsigned long kQuiet = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    return mountOne({"devtmpfs", "/dev", MS_NOSUID, "mode=0755", Need::Required}, "mounts") &&
           mountOne({"proc", "/proc", kQuiet, "", Need::Required}, "mounts") &&
           mountOne({"sysfs", "/sys", kQuiet, "", Need::Required}, "mounts");
}

std::string readSmallFile(const char* path) {
    constexpr std::size_t kLimit = 65536;
    std::string text;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return text;
    }
    std::array<char, 4096> buffer;
    while (text.size() < kLimit) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got <= 0) {
            break;
        }
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return text;
}

bool loadModules() {
    const ModuleList list = parseModuleList(readSmallFile(kModuleList));
    if (!list.error.empty()) {
        failed("modules", std::string(kModuleList) + ", " + list.error);
        return false;
    }
    // CPUID would tell too, but the kernel has already said it in words.
    const bool hyperV = readSmallFile("/sys/hypervisor/type").starts_with("hyperv") ||
                        ::access("/sys/bus/acpi/devices/VMBUS:00", F_OK) == 0 ||
                        ::access("/sys/bus/acpi/devices/MSFT1000:00", F_OK) == 0;
    for (const auto& entry : list.entries) {
        const std::string path = std::string(kModuleFolder) + "/" + entry.file;
        if (entry.group == ModuleGroup::Base || hyperV) {
            if (!loadModule(path)) {
                return false;
            }
        }
        ::unlink(path.c_str());
    }
    return true;
}

bool moveToTmpfsRoot() {
    constexpr const char* kStep = "root";
    struct stat root {};
    if (::stat("/", &root) != 0 || (::mkdir("/.root", 0755) != 0 && errno != EEXIST)) {
        failedErrno(kStep, "making /.root");
        return false;
    }
    if (::mount("tmpfs", "/.root", "tmpfs", MS_NODEV, "mode=0755,size=50%") != 0) {
        failedErrno(kStep, "mounting a tmpfs");
        return false;
    }
    const int from = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int to = ::open("/.root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool moved = moveTree(from, to, root.st_dev);
    if (!moved) {
        failedErrno(kStep, "copying the initial files");
        return false;
    }
    for (const char* name : {"dev", "proc", "sys"}) {
        const std::string source = std::string("/") + name;
        const std::string target = std::string("/.root/") + name;
        if (::mkdir(target.c_str(), 0755) != 0 && errno != EEXIST) {
            failedErrno(kStep, "making " + target);
            return false;
        }
        if (::mount(source.c_str(), target.c_str(), nullptr, MS_MOVE, nullptr) != 0) {
            failedErrno(kStep, "moving " + source);
            return false;
        }
    }
    ::close(from);
    ::close(to);
    if (::chdir("/.root") != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
        ::chdir("/") != 0) {
        failedErrno(kStep, "changing the root");
        return false;
    }
    return true;
}

bool mountRest() {
    constexpr unsigned long kQuiet = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    constexpr const char* kStep = "mounts";
    const bool good =
        mountOne(
            {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666", Need::Required},
            kStep) &&
        mountOne({"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", Need::Required}, kStep) &&
        mountOne({"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=25%", Need::Required}, kStep) &&
        mountOne({"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=25%", Need::Required}, kStep) &&
        mountOne({"cgroup2", "/sys/fs/cgroup", kQuiet, "nsdelegate", Need::Required}, kStep) &&
        mountOne({"bpf", "/sys/fs/bpf", kQuiet, "mode=0700", Need::Optional}, kStep) &&
        mountOne({"securityfs", "/sys/kernel/security", kQuiet, "", Need::Optional}, kStep) &&
        mountOne({"tracefs", "/sys/kernel/tracing", kQuiet, "mode=0700", Need::Optional}, kStep);
    if (good && ::mkdir("/run/carrel", 0700) != 0 && errno != EEXIST) {
        failedErrno(kStep, "making /run/carrel");
        return false;
    }
    return good;
}

bool mountDisk(const std::string& device, DiskUse use) {
    constexpr const char* kStep = "disk";
    constexpr std::chrono::milliseconds kPause{20};
    constexpr int kLongestWait = 1500; // pauses: 30 s; a paravirtual disk is there within one
    int waited = 0;
    while (::access(device.c_str(), F_OK) != 0) {
        if (++waited == kLongestWait) {
            failed(kStep, "no disk appeared at " + device);
            return false;
        }
        if (waited % 50 == 0) {
            say("waiting for the disk " + device);
        }
        sleepFor(kPause);
    }
    if (::mkdir(kDiskMount, 0700) != 0 && errno != EEXIST) {
        failedErrno(kStep, std::string("making ") + kDiskMount);
        return false;
    }
    // Read-only: a base is unmounted before it becomes one, so there is no journal to look through.
    // discard: freed blocks go back to the host. noinit_itable: zeroing inode tables in the background would
    // only swell the agent's overlay, and the tables are marked as unused.
    const bool kept = use == DiskUse::Kept;
    if (::mount(device.c_str(), kDiskMount, "ext4", MS_NOATIME | MS_NODEV | (kept ? 0UL : MS_RDONLY | MS_NOSUID),
                kept ? "discard,noinit_itable,errors=remount-ro" : "noload") != 0) {
        const int number = errno;
        if (number == EINVAL || number == EUCLEAN) {
            failed(kStep,
                   device +
                       " holds no ext4 file system that can be used: it is damaged or of another kind (" +
                       std::strerror(number) + ")");
        } else {
            errno = number;
            failedErrno(kStep, "mounting " + device);
        }
        return false;
    }
    return true;
}

void raiseLimits() {
    // One descriptor per node of the shared folders, and then the streams.
    constexpr rlim_t kDescriptors = 1048576;
    const rlimit limit{kDescriptors, kDescriptors};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        failedErrno("limits", "raising the number of descriptors");
    }
}

void powerOff() {
    stage("poweroff");
    constexpr std::chrono::milliseconds kPause{20};
    constexpr int kPatience = 150; // pauses: 3 s between the polite and the final signal
    ::kill(-1, SIGTERM);
    int waited = 0;
    while (waited < kPatience) {
        const pid_t gone = ::waitpid(-1, nullptr, WNOHANG);
        if (gone < 0 && errno == ECHILD) {
            break;
        }
        if (gone == 0) {
            sleepFor(kPause);
            ++waited;
        }
    }
    ::kill(-1, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    ::sync();
    // A mount that guestd made beneath may still pin the disk; detaching the whole tree lets it go.
    if (::umount2(kDiskMount, 0) != 0 && errno != EINVAL && errno != ENOENT) {
        ::umount2(kDiskMount, MNT_DETACH);
        ::mount(nullptr, kDiskMount, nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
    }
    ::sync();
    say("off");
    powerOffNow();
}

void powerOffNow() {
    ::reboot(RB_POWER_OFF);
    // Without ACPI the kernel halts instead; the machine is started so that a reset ends it.
    ::reboot(RB_AUTOBOOT);
    for (;;) {
        ::pause();
    }
}

} // namespace carrel::init
