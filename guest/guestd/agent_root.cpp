// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/agent_root.h"

#include "guest/ask/ask_places.h"
#include "guest/guestd/agent_calls.h"
#include "guest/guestd/net_places.h"
#include "guest/protocol/unique_fd.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

bool attach(int mount, const std::string& where) {
    return ::move_mount(mount, "", AT_FDCWD, where.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

bool makeFolder(const std::string& path, mode_t mode) {
    return ::mkdir(path.c_str(), mode) == 0 || errno == EEXIST;
}

// Only what programs need; nothing of the machine's own devices. The nodes are bound from outside: a user
// namespace's root cannot make any.
const char* makeDevices(const std::string& root) {
    const std::string dev = root + "/dev";
    if (!makeFolder(dev, 0755) ||
        ::mount("tmpfs", dev.c_str(), "tmpfs", MS_NOSUID, "mode=0755,size=1m") != 0) {
        return "mounting /dev";
    }
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        const std::string from = std::string("/dev/") + name;
        const std::string to = dev + "/" + name;
        const int file = ::open(to.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        if (file < 0) {
            return "making a device's place";
        }
        ::close(file);
        if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0) {
            return "binding a device";
        }
    }
    if (!makeFolder(dev + "/pts", 0755) ||
        ::mount("devpts", (dev + "/pts").c_str(), "devpts", MS_NOSUID | MS_NOEXEC,
                "newinstance,uid=0,gid=5,mode=0620,ptmxmode=0666") != 0) {
        return "mounting /dev/pts";
    }
    if (!makeFolder(dev + "/shm", 01777) ||
        ::mount("tmpfs", (dev + "/shm").c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%") != 0) {
        return "mounting /dev/shm";
    }
    struct Link {
        const char* target;
        const char* name;
    };
    for (const Link& link :
         {Link{"pts/ptmx", "/ptmx"}, Link{"/proc/self/fd", "/fd"}, Link{"/proc/self/fd/0", "/stdin"},
          Link{"/proc/self/fd/1", "/stdout"}, Link{"/proc/self/fd/2", "/stderr"}}) {
        if (::symlink(link.target, (dev + link.name).c_str()) != 0 && errno != EEXIST) {
            return "linking a device";
        }
    }
    return nullptr;
}

const char* makeSystemMounts(const std::string& root) {
    constexpr unsigned long kQuiet = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    if (!makeFolder(root + "/proc", 0555) ||
        ::mount("proc", (root + "/proc").c_str(), "proc", kQuiet, nullptr) != 0) {
        return "mounting /proc";
    }
    // Read-only: the files belong to the machine's own root anyway, and nothing here is the agent's to set.
    if (!makeFolder(root + "/sys", 0555) ||
        ::mount("sysfs", (root + "/sys").c_str(), "sysfs", kQuiet | MS_RDONLY, nullptr) != 0) {
        return "mounting /sys";
    }
    if (!makeFolder(root + "/run", 0755) ||
        ::mount("tmpfs", (root + "/run").c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=25%") != 0 ||
        !makeFolder(root + "/run/lock", 01777)) {
        return "mounting /run";
    }
    return makeFolder(root + "/tmp", 01777) ? nullptr : "making /tmp";
}

// Told anew at each start, as any machine is by its network; within a run the file is the agent's. Best effort: names
// are then not found, and the rest works. In the agent's own root, so that a link leads nowhere else.
void tellResolver() {
    constexpr const char* kFile = "/etc/resolv.conf";
    constexpr const char* kNew = "/etc/resolv.conf.carrel";
    const std::string text = std::string("nameserver ") + kResolverText4 + "\n";
    std::array<char, 128> there{};
    const UniqueFd old(::open(kFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (old && ::read(old.get(), there.data(), there.size() - 1) == static_cast<ssize_t>(text.size()) && text == there.data()) {
        return;
    }
    (void)::unlink(kNew);
    const UniqueFd file(::open(kNew, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
        (void)::rename(kNew, kFile);
    }
}

} // namespace

const char* assembleAgentRoot(const AgentRootPlan& plan) {
    ::umask(0);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        return "parting from the machine's mounts";
    }
    if (!attach(plan.rootMount, plan.root)) {
        return "attaching the userland";
    }
    if (!makeFolder(plan.root + "/workspace", 0755) ||
        !attach(plan.workspaceMount, plan.root + "/workspace")) {
        return "attaching /workspace";
    }
    if (const char* failed = makeDevices(plan.root)) {
        return failed;
    }
    // A new proc and sysfs are allowed only while the machine's own are still in sight (mount_too_revealing
    // in fs/namespace.c), so before the root changes.
    if (const char* failed = makeSystemMounts(plan.root)) {
        return failed;
    }
    if (!makeFolder(plan.root + ask::kShelfFolder, 0755) || !attach(plan.shelfMount, plan.root + ask::kShelfFolder)) {
        return "attaching what is Carrel's";
    }
    if (::chdir(plan.root.c_str()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) {
        return "changing the root";
    }
    // The old root now lies on top of the new one; away with it (pivot_root(2), NOTES).
    if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
        return "leaving the machine's root";
    }
    // On the PATH of every account and shell. What the agent has put there stays, or what it has put in the way.
    (void)!::symlink(ask::kProgram, ask::kProgramOnPath);
    tellResolver();
    ::umask(022);
    return nullptr;
}

const char* dropPrivileges() {
    // Kept: what packages and ordinary root work need inside a namespace (chown, setuid, kill, mount, chroot,
    // ptrace, binding low ports …). Dropped: those the kernel only honours for the machine's own root, so
    // that a kernel defect has less to grasp, and NET_ADMIN, because addresses and routes here are guestd's
    // to keep.
    for (const int capability : {CAP_NET_ADMIN,
                                 CAP_SYS_MODULE,
                                 CAP_SYS_RAWIO,
                                 CAP_SYS_PACCT,
                                 CAP_SYS_BOOT,
                                 CAP_SYS_TIME,
                                 CAP_MKNOD,
                                 CAP_LEASE,
                                 CAP_AUDIT_WRITE,
                                 CAP_AUDIT_CONTROL,
                                 CAP_AUDIT_READ,
                                 CAP_MAC_OVERRIDE,
                                 CAP_MAC_ADMIN,
                                 CAP_SYSLOG,
                                 CAP_WAKE_ALARM,
                                 CAP_BLOCK_SUSPEND,
                                 CAP_PERFMON,
                                 CAP_BPF,
                                 CAP_CHECKPOINT_RESTORE,
                                 CAP_LINUX_IMMUTABLE}) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
            return "dropping a capability";
        }
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return "setting no_new_privs";
    }
    if (!limitAgentCalls()) {
        return "limiting the calls of the system";
    }
    return nullptr;
}

} // namespace carrel::guestd
