// SPDX-License-Identifier: Apache-2.0
// The seccomp half of confine.h: seccomp(2) by libseccomp. A list of what is allowed, so that a call that a
// newer kernel brings is refused until somebody has thought about it. Three ways to be refused: killed, for
// what nobody does by accident; EPERM, for what a library tries and can do without; ENOSYS, for all else,
// which a library takes as "this kernel lacks it" and goes another way.
//
// What a filter cannot see is behind a pointer: openat2's flags (Landlock refuses writing there), sendmsg's
// address (no unconnected socket can be made here), clone3's flags (ENOSYS: the C library then uses clone,
// whose flags are seen).
#include "hypervisor/confine/confine.h"

#include <seccomp.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <span>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::confine {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// By name, because libseccomp knows more calls than the headers of an old system; one that it does not know
// falls to the default, which refuses it.
constexpr std::array kKilled{
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "bpf",
    "mount",
    "umount2",
    "umount",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "mount_setattr",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "add_key",
    "request_key",
    "keyctl",
    "perf_event_open",
    "userfaultfd",
    "open_by_handle_at",
    "name_to_handle_at",
    "unshare",
    "setns",
    "personality",
    "swapon",
    "swapoff",
    "reboot",
    "acct",
    "quotactl",
    "iopl",
    "ioperm",
    "modify_ldt",
    "uselib",
};

constexpr std::array kEperm{
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "creat",
    "truncate",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "mknod",
    "mknodat",
    "chmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "utimensat",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setsid",
    "kill",
    "pidfd_send_signal",
    "rt_sigqueueinfo",
    "memfd_create",
    "memfd_secret",
    "shmget",
    "shmat",
};

constexpr std::array kAllowed{
    // memory, threads of control, time
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "msync",
    "mincore",
    "mlock",
    "munlock",
    "futex",
    "set_robust_list",
    "rseq",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "membarrier",
    "restart_syscall",
    "exit",
    "exit_group",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "getrusage",
    // who am I
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getpgrp",
    "getpgid",
    "getsid",
    "getgroups",
    "uname",
    "sysinfo",
    "getrandom",
    "umask",
    // signals, of which none reaches another process
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sigaltstack",
    "pause",
    "signalfd4",
    // waiting
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "pipe",
    "pipe2",
    // descriptors that are open
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "lseek",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "flock",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "fadvise64",
    "fstat",
    "fstatfs",
    "getdents64",
    "recvmsg",
    "sendmsg",
    "recvfrom",
    "recvmmsg",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    // looking at names
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
};

// A pipe to or the window of the terminal that is there; not TIOCSTI, which types into it.
constexpr std::array<unsigned, 9> kIoctls{FIONBIO, FIONREAD,   TCGETS,    TCSETS, TCSETSW,
                                          TCSETSF, TIOCGWINSZ, TIOCGPGRP, FIOCLEX};
constexpr std::array<unsigned, 6> kPrctls{PR_SET_NAME,      PR_GET_NAME,         PR_GET_DUMPABLE,
                                          PR_SET_PDEATHSIG, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP};
constexpr unsigned kLow = 0xffffffffU; // the kernel looks at the lower half of an int argument

class Builder {
public:
    explicit Builder(scmp_filter_ctx filter)
        : m_filter(filter) {}

    void all(std::uint32_t action, std::span<const char* const> names) {
        for (const char* name : names) {
            add(action, name, {});
        }
    }
    void add(std::uint32_t action, const char* name, std::span<const scmp_arg_cmp> conditions) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR || m_error != 0) {
            return;
        }
        const int result = seccomp_rule_add_array(
            m_filter, action, number, static_cast<unsigned>(conditions.size()), conditions.data());
        // EDOM: this machine's kernel interface has no such call.
        if (result != 0 && result != -EDOM) {
            m_error = -result;
        }
    }
    void when(std::uint32_t action, const char* name, scmp_arg_cmp condition) {
        add(action, name, {&condition, 1});
    }
    [[nodiscard]] int error() const { return m_error; }

private:
    scmp_filter_ctx m_filter;
    int m_error = 0;
};

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void addOpens(Builder& filter, SyscallProfile profile) {
    const std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
    if (profile == SyscallProfile::TerminalViewer) {
        filter.all(refuse, std::array{"open", "openat", "openat2", "inotify_init1"});
        return;
    }
    constexpr std::uint64_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    filter.when(SCMP_ACT_ALLOW, "open", masked(1, kWriting, O_RDONLY));
    filter.when(SCMP_ACT_ALLOW, "openat", masked(2, kWriting, O_RDONLY));
    for (const std::uint64_t bit : {std::uint64_t{O_WRONLY}, std::uint64_t{O_RDWR}, std::uint64_t{O_CREAT},
                                    std::uint64_t{O_TRUNC}, std::uint64_t{O_TMPFILE & ~O_DIRECTORY}}) {
        filter.when(refuse, "open", masked(1, bit, bit));
        filter.when(refuse, "openat", masked(2, bit, bit));
    }
    filter.add(SCMP_ACT_ALLOW, "openat2", {});
}

void addConditional(Builder& filter) {
    const std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
    // No memory becomes code from here on.
    for (const char* name : {"mmap", "mprotect"}) {
        filter.when(SCMP_ACT_ALLOW, name, masked(2, PROT_EXEC, 0));
        filter.when(refuse, name, masked(2, PROT_EXEC, PROT_EXEC));
    }
    filter.when(refuse, "clone", masked(0, CLONE_THREAD, CLONE_THREAD));
    filter.when(SCMP_ACT_KILL_PROCESS, "clone", masked(0, CLONE_THREAD, 0));
    // On a connected socket only.
    filter.when(SCMP_ACT_ALLOW, "sendto", {4, SCMP_CMP_EQ, 0, 0});
    filter.when(refuse, "sendto", {4, SCMP_CMP_NE, 0, 0});
    // Its own limits and signals (abort), nobody else's.
    filter.when(SCMP_ACT_ALLOW, "prlimit64", masked(0, kLow, 0));
    filter.add(SCMP_ACT_ALLOW, "getrlimit", {});
    filter.when(SCMP_ACT_ALLOW, "tgkill", masked(0, kLow, static_cast<std::uint64_t>(::getpid())));
    for (const unsigned request : kIoctls) {
        filter.when(SCMP_ACT_ALLOW, "ioctl", masked(1, kLow, request));
    }
    for (const unsigned option : kPrctls) {
        filter.when(SCMP_ACT_ALLOW, "prctl", masked(0, kLow, option));
    }
    // Narrowing oneself further is nobody's harm.
    filter.add(SCMP_ACT_ALLOW, "seccomp", {});
}

} // namespace

Status restrictSyscalls(SyscallProfile profile) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failErrno("cannot give up new privileges");
    }
    const Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &seccomp_release);
    if (!filter) {
        return fail(ErrorCode::Unsupported, "cannot prepare the list of allowed system calls");
    }
    Builder builder(filter.get());
    builder.all(SCMP_ACT_KILL_PROCESS, kKilled);
    builder.all(SCMP_ACT_ERRNO(EPERM), kEperm);
    for (const char* name : kAllowed) {
        if (profile == SyscallProfile::GuestReader || std::string_view(name) != "inotify_init1") {
            builder.add(SCMP_ACT_ALLOW, name, {});
        }
    }
    addOpens(builder, profile);
    addConditional(builder);
    if (builder.error() != 0) {
        return failErrno("cannot prepare the list of allowed system calls", builder.error());
    }
    // Another kind of system call (32-bit, x32) would pass under these numbers: libseccomp kills it.
    if (const int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        result != 0) {
        return failErrno("cannot prepare the list of allowed system calls", -result);
    }
    if (const int result = seccomp_load(filter.get()); result != 0) {
        return failErrno("the kernel did not take the list of allowed system calls", -result);
    }
    return {};
}

} // namespace carrel::confine
