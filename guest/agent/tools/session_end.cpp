// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/session_end.h"

#include "guest/protocol/unique_fd.h"

#include <charconv>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <string>
#include <sys/syscall.h>

namespace carrel::agent {

namespace {

constexpr int kMostRounds = 100; // against something that makes processes as quickly as they are ended

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

// Whether it runs and is of the session: proc(5), "stat". The name in its second field may hold anything, brackets too.
bool isRunningIn(pid_t session, pid_t pid) {
    const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    char space[1024];
    const auto got = file ? ::read(file.get(), space, sizeof space) : -1;
    if (got <= 0) {
        return false;
    }
    std::string_view text(space, static_cast<std::size_t>(got));
    const auto name = text.rfind(')');
    if (name == std::string_view::npos || name + 3 >= text.size()) {
        return false;
    }
    text.remove_prefix(name + 2); // "S 1 2 3 …": state, parent, group, session
    const char state = text.front();
    for (int field = 0; field < 3; ++field) {
        const auto blank = text.find(' ');
        if (blank == std::string_view::npos) {
            return false;
        }
        text.remove_prefix(blank + 1);
    }
    pid_t of = 0;
    std::from_chars(text.data(), text.data() + text.size(), of);
    return of == session && state != 'Z' && state != 'X';
}

// Those that were not ended before.
unsigned endOthers(pid_t leader, std::set<pid_t>& ended) {
    const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc"));
    unsigned found = 0;
    while (const auto* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const std::string_view name(entry->d_name);
        pid_t pid = 0;
        const auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (read.ec != std::errc() || read.ptr != name.data() + name.size() || pid == leader || ended.contains(pid)) {
            continue;
        }
        // Held first, looked at then: a number that is given to another process in between names nobody by the descriptor.
        const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
        if (process && isRunningIn(leader, pid)) {
            ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
            ended.insert(pid);
            ++found;
        }
    }
    return found;
}

} // namespace

unsigned endSession(pid_t leader) {
    std::set<pid_t> ended;
    const auto others = endOthers(leader, ended);
    ::kill(-leader, SIGKILL); // all of the group in one step, whatever it starts meanwhile
    for (int round = 0; round < kMostRounds && endOthers(leader, ended) > 0; ++round) {
    }
    return others;
}

} // namespace carrel::agent
