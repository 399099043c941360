// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/viewer_spawner.h"

#include <cerrno>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr unsigned kFirstAccount = 200000; // no file on the disk belongs to it or to those after it
constexpr rlim_t kMebibyte = 1024 * 1024;

int limit(int what, rlim_t to) {
    const rlimit both{to, to};
    return ::setrlimit(static_cast<__rlimit_resource>(what), &both) == 0 ? 0 : errno;
}

} // namespace

ViewerSpawner::ViewerSpawner(std::string userland, ViewerLimits limits)
    : m_userland(std::move(userland))
    , m_limits(limits)
    , m_scratch(m_userland + "/tmp")
    , m_scratchOptions("mode=1777,size=" + std::to_string(limits.scratchMib) + "m")
    , m_nextAccount(kFirstAccount) {}

// Between fork and exec of a process with threads: system calls only, and those by which glibc would tell the other threads
// (which are not there) by number.
int ViewerSpawner::enter(unsigned account) const {
    if (::unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0 ||
        ::mount("tmpfs", m_scratch.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, m_scratchOptions.c_str()) != 0 ||
        ::chroot(m_userland.c_str()) != 0 || ::chdir("/") != 0) {
        return errno;
    }
    for (const int error : {limit(RLIMIT_AS, m_limits.memoryMib * kMebibyte), limit(RLIMIT_NPROC, m_limits.processes),
                            limit(RLIMIT_CPU, m_limits.processorSeconds), limit(RLIMIT_CORE, 0)}) {
        if (error != 0) {
            return error;
        }
    }
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, account, account, account) != 0 ||
        ::syscall(SYS_setresuid, account, account, account) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    return 0;
}

Result<Spawned> ViewerSpawner::spawn(const SpawnRequest& request) {
    const unsigned account = m_nextAccount++;
    return forkAndRun(request, [this, account] { return enter(account); });
}

Result<PtyPair> ViewerSpawner::openPty() {
    return fail(ErrorCode::Unsupported, "a viewer has no terminals");
}

std::map<std::string, std::string> ViewerSpawner::baseEnvironment() const {
    return {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}, {"HOME", "/tmp"}, {"TMPDIR", "/tmp"}};
}

} // namespace carrel::guestd
