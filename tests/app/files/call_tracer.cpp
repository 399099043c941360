// SPDX-License-Identifier: Apache-2.0
#include "tests/app/files/call_tracer.h"

#include "tests/support/sanitized.h"

#include <QtGlobal>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace carrel::files::test {

#if defined(__x86_64__)

namespace {

struct Known {
    long number;
    std::string_view name;
};
#define CALL(x) {SYS_##x, #x}

constexpr Known kChanging[] = {
    CALL(write),      CALL(pwrite64),     CALL(writev),    CALL(pwritev),      CALL(pwritev2),    CALL(rename),
    CALL(renameat),   CALL(renameat2),    CALL(link),      CALL(linkat),       CALL(symlink),     CALL(symlinkat),
    CALL(unlink),     CALL(unlinkat),     CALL(rmdir),     CALL(mkdir),        CALL(mkdirat),     CALL(mknod),
    CALL(mknodat),    CALL(chmod),        CALL(fchmod),    CALL(fchmodat),     CALL(chown),       CALL(fchown),
    CALL(lchown),     CALL(fchownat),     CALL(utime),     CALL(utimes),       CALL(futimesat),   CALL(utimensat),
    CALL(fsync),      CALL(fdatasync),    CALL(sync),      CALL(syncfs),       CALL(ftruncate),   CALL(truncate),
    CALL(fallocate),  CALL(copy_file_range), CALL(sendfile), CALL(splice),     CALL(setxattr),    CALL(lsetxattr),
    CALL(fsetxattr),  CALL(removexattr),  CALL(lremovexattr), CALL(fremovexattr), CALL(creat),    CALL(msync),
};
constexpr Known kOpens[] = {CALL(open), CALL(openat), CALL(openat2)};
constexpr Known kReading[] = {
    CALL(fstatfs), CALL(read),     CALL(pread64),  CALL(fstat),      CALL(lstat),      CALL(stat),       CALL(newfstatat),
    CALL(statx),    CALL(readlink), CALL(readlinkat), CALL(getdents64), CALL(flistxattr), CALL(fgetxattr),
};
constexpr Known kHarmless[] = {
    CALL(close),      CALL(lseek),          CALL(mmap),    CALL(munmap),       CALL(mremap),         CALL(mprotect),
    CALL(madvise),    CALL(brk),            CALL(fcntl),   CALL(getrandom),    CALL(exit_group),     CALL(clock_gettime),
    CALL(dup),        CALL(dup3),           CALL(flock),   CALL(futex),        CALL(geteuid),        CALL(rt_sigaction),
    CALL(access),     CALL(rt_sigprocmask), CALL(getpid),  CALL(faccessat),
    CALL(sync_file_range), // begins to write out what is written anyway, and promises nothing
};
#undef CALL
constexpr std::uint32_t kMakes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

sock_filter statement(std::uint16_t code, std::uint32_t k) {
    return {code, 0, 0, k};
}

// A short forward jump over `skip` statements unless the loaded word is (or holds a bit of) `k`.
sock_filter unlessJump(std::uint16_t test, std::uint32_t k, std::uint8_t skip) {
    return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), 0, skip, k};
}

std::vector<sock_filter> filterFor(Watched watched) {
    const auto load = [](std::size_t offset) {
        return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
    };
    const auto verdict = [](std::uint32_t action) { return statement(BPF_RET | BPF_K, action); };
    const std::uint32_t listed = watched == Watched::Unknown ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRACE;
    const std::uint32_t others = watched == Watched::Unknown ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW;
    std::vector<sock_filter> filter{load(offsetof(seccomp_data, nr))};
    const auto whole = [&](const Known& call) {
        filter.push_back(unlessJump(BPF_JEQ, static_cast<std::uint32_t>(call.number), 1));
        filter.push_back(verdict(listed));
    };
    if (watched == Watched::Reading || watched == Watched::Unknown) {
        std::for_each(std::begin(kReading), std::end(kReading), whole);
    }
    if (watched == Watched::Reading) {
        filter.push_back(verdict(others));
        return filter;
    }
    std::for_each(std::begin(kChanging), std::end(kChanging), whole);
    if (watched != Watched::Changing) {
        std::for_each(std::begin(kOpens), std::end(kOpens), whole);
    } else {
        // Of opens those that make or truncate. The flags of openat2 are out of a filter's reach: that it only reads is
        // what a test of its own finds with AllOpens.
        for (const auto& [number, argument] : {std::pair{SYS_open, 1}, std::pair{SYS_openat, 2}}) {
            filter.push_back(unlessJump(BPF_JEQ, static_cast<std::uint32_t>(number), 4));
            filter.push_back(load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * static_cast<unsigned>(argument)));
            filter.push_back(unlessJump(BPF_JSET, kMakes, 1));
            filter.push_back(verdict(listed));
            filter.push_back(verdict(others));
        }
    }
    if (watched == Watched::Unknown) {
        std::for_each(std::begin(kHarmless), std::end(kHarmless), whole);
    }
    filter.push_back(verdict(others));
    return filter;
}

constexpr std::size_t kSaid = 64 * 1024;

[[noreturn]] void beTraced(const std::function<std::string()>& work, Watched watched, char* said) {
    std::vector<sock_filter> filter = filterFor(watched);
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 || ::raise(SIGSTOP) != 0 ||
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        ::_exit(99);
    }
    const std::string text = work();
    std::memcpy(said, text.data(), std::min(text.size(), kSaid - 1)); // shared memory: no call, so no point either
    ::_exit(0);
}

void wait(pid_t child, int& status) {
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            qFatal("waitpid failed");
        }
    }
}

bool isStop(int status, int event) {
    return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | (event << 8));
}

class Tracer {
public:
    Tracer(pid_t child, Watcher& watcher)
        : m_child(child)
        , m_watcher(watcher) {}

    Traced run() {
        int status = 0;
        wait(m_child, status);
        constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD;
        if (!WIFSTOPPED(status) || ::ptrace(PTRACE_SETOPTIONS, m_child, nullptr, kOptions) != 0) {
            qFatal("the child cannot be traced");
        }
        Traced traced;
        while (go(PTRACE_CONT, status)) {
            if (!isStop(status, PTRACE_EVENT_SECCOMP)) {
                qFatal("the child stopped with status %x", static_cast<unsigned>(status));
            }
            const Call call = read(traced.calls++);
            if (!atCall(call, status)) {
                traced.killed = true;
                return traced;
            }
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            qFatal("the child ended with status %x", static_cast<unsigned>(status));
        }
        return traced;
    }

private:
    // False when the child is gone.
    bool go(int how, int& status) {
        if (::ptrace(static_cast<__ptrace_request>(how), m_child, nullptr, nullptr) != 0) {
            qFatal("ptrace failed: %s", std::strerror(errno));
        }
        wait(m_child, status);
        return WIFSTOPPED(status);
    }

    Call read(std::size_t index) {
        Call call;
        user_regs_struct regs{};
        ::ptrace(PTRACE_GETREGS, m_child, nullptr, &regs);
        call.number = static_cast<long>(regs.orig_rax);
        call.args = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
        call.index = index;
        call.child = m_child;
        return call;
    }

    // False when the child was killed. seccomp(2): at this stop the call can still be altered, and a number of -1 skips it.
    bool atCall(const Call& call, int& status) {
        const Order order = m_watcher.before(call);
        if (order.act == Act::Kill) {
            return kill(status);
        }
        if (order.act == Act::Fail || order.act == Act::Shorten) {
            user_regs_struct regs{};
            ::ptrace(PTRACE_GETREGS, m_child, nullptr, &regs);
            if (order.act == Act::Fail) {
                regs.orig_rax = static_cast<unsigned long long>(-1);
                regs.rax = static_cast<unsigned long long>(-static_cast<long long>(order.error));
            } else {
                regs.rdx = std::max<unsigned long long>(1, regs.rdx / 2);
            }
            ::ptrace(PTRACE_SETREGS, m_child, nullptr, &regs);
        }
        if (order.act != Act::GoOn) {
            return true;
        }
        if (!go(PTRACE_SYSCALL, status) || !WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            qFatal("no stop at the end of a call");
        }
        user_regs_struct regs{};
        ::ptrace(PTRACE_GETREGS, m_child, nullptr, &regs);
        return m_watcher.after(call, static_cast<long>(regs.rax)).act != Act::Kill || kill(status);
    }

    bool kill(int& status) {
        ::kill(m_child, SIGKILL);
        wait(m_child, status);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            qFatal("the child did not die of the kill");
        }
        return false;
    }

    pid_t m_child;
    Watcher& m_watcher;
};

} // namespace

std::string_view Call::name() const {
    for (const auto& table : {std::pair{std::begin(kChanging), std::end(kChanging)}, std::pair{std::begin(kOpens), std::end(kOpens)}, std::pair{std::begin(kReading), std::end(kReading)},
                              std::pair{std::begin(kHarmless), std::end(kHarmless)}}) {
        const auto* found = std::find_if(table.first, table.second, [&](const Known& known) { return known.number == number; });
        if (found != table.second) {
            return found->name;
        }
    }
    return "unknown";
}

Traced trace(const std::function<std::string()>& work, Watched watched, Watcher& watcher) {
    void* shared = ::mmap(nullptr, kSaid, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        qFatal("mmap failed");
    }
    const pid_t child = ::fork();
    if (child == 0) {
        beTraced(work, watched, static_cast<char*>(shared));
    }
    Traced traced = Tracer(child, watcher).run();
    traced.said = static_cast<const char*>(shared);
    ::munmap(shared, kSaid);
    return traced;
}

#else

std::string_view Call::name() const {
    return "unknown";
}
Traced trace(const std::function<std::string()>&, Watched, Watcher&) {
    qFatal("tracing is for x86-64");
}

#endif

std::string whyNoTracing() {
    if (carrel::test::kSanitized) {
        return "a sanitizer's runtime makes calls of its own; TestApplyCrash ends the child at the announced steps instead";
    }
#if !defined(__x86_64__)
    return "the tracer knows the registers of x86-64 only; TestApplyCrash ends the child at the announced steps instead";
#else
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
    }
    int status = 0;
    wait(child, status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : "this system does not let a process trace its child";
#endif
}

std::string textAt(pid_t child, std::uint64_t address) {
    std::string text(PATH_MAX, '\0');
    const iovec here{text.data(), text.size()};
    // Page by page at the end of a mapping: a short read is all there is.
    iovec there{reinterpret_cast<void*>(address), text.size()}; // NOLINT(performance-no-int-to-ptr)
    ssize_t got = ::process_vm_readv(child, &here, 1, &there, 1, 0);
    if (got < 0) {
        there.iov_len = 4096 - address % 4096;
        got = ::process_vm_readv(child, &here, 1, &there, 1, 0);
    }
    return got <= 0 ? std::string() : std::string(text.c_str());
}

std::string pathOf(pid_t child, int fd) {
    std::string text(PATH_MAX, '\0');
    const std::string link = "/proc/" + std::to_string(child) + (fd == AT_FDCWD ? "/cwd" : "/fd/" + std::to_string(fd));
    const ssize_t got = ::readlink(link.c_str(), text.data(), text.size());
    return got < 0 ? std::string() : text.substr(0, static_cast<std::size_t>(got));
}

} // namespace carrel::files::test
