// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/last_hand.h"

#include "guest/protocol/unique_fd.h"

#include <cerrno>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace carrel::guestd {

void endConnectionsBeneath(const std::string& workspace) {
    DIR* list = ::opendir(workspace.c_str());
    while (const dirent* entry = list != nullptr ? ::readdir(list) : nullptr) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") {
            ::umount2((workspace + "/" + name).c_str(), MNT_FORCE);
        }
    }
    if (list != nullptr) {
        ::closedir(list);
    }
}

void leaveLastHand(const std::string& workspace, const std::string& lock) {
    const UniqueFd held(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    while (::flock(held.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    const pid_t parent = ::getpid();
    if (::fork() != 0) {
        return; // the lock is the child's. Where there is none, all is as it would be without
    }
    ::prctl(PR_SET_NAME, "last-hand", 0, 0, 0);
    if (::dup3(held.get(), 3, O_CLOEXEC) == 3 || held.get() == 3) {
        ::close_range(4, ~0U, 0);
    }
    sigset_t ended; // SIGTERM ends this process as any other
    sigemptyset(&ended);
    sigaddset(&ended, SIGHUP);
    ::sigprocmask(SIG_SETMASK, &ended, nullptr);
    // Sent when the thread ends that forked, whatever threads of its process remain (prctl(2)).
    ::prctl(PR_SET_PDEATHSIG, SIGHUP, 0, 0, 0);
    if (::getppid() == parent) { // not ended before that
        int number = 0;
        while (::sigwait(&ended, &number) != 0) {
        }
    }
    endConnectionsBeneath(workspace);
    ::_exit(0);
}

} // namespace carrel::guestd
