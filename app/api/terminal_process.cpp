// SPDX-License-Identifier: Apache-2.0
#include "app/api/terminal_process.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>

namespace carrel::api {

namespace {

constexpr int kFirstClosed = kTerminalWindow + 1;

// Out of the way of the numbers that the program gets: dup2(2) onto itself would leave it close-on-exec, and one could cover the other.
Result<UniqueFd> outOfTheWay(UniqueFd fd) {
    UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstClosed));
    if (!moved) {
        return failErrno("cannot hand a descriptor on");
    }
    return moved;
}

class Spawn {
public:
    Spawn(int channel, int window) {
        posix_spawn_file_actions_init(&m_actions);
        posix_spawn_file_actions_addopen(&m_actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&m_actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&m_actions, 2, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_adddup2(&m_actions, channel, kTerminalChannel);
        posix_spawn_file_actions_adddup2(&m_actions, window, kTerminalWindow);
        posix_spawn_file_actions_addclosefrom_np(&m_actions, kFirstClosed); // a library of the window's may have left one open
        posix_spawn_file_actions_addchdir_np(&m_actions, "/");
        posix_spawnattr_init(&m_attributes);
        sigset_t all;
        sigfillset(&all);
        posix_spawnattr_setsigdefault(&m_attributes, &all);
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&m_attributes, &none);
        posix_spawnattr_setflags(&m_attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    ~Spawn() {
        posix_spawn_file_actions_destroy(&m_actions);
        posix_spawnattr_destroy(&m_attributes);
    }
    Spawn(const Spawn&) = delete;
    Spawn& operator=(const Spawn&) = delete;

    [[nodiscard]] Result<pid_t> run(const std::filesystem::path& program) {
        std::string name = program.string();
        std::array<char*, 2> arguments{name.data(), nullptr};
        std::string locale = "LC_ALL=C.UTF-8";
        std::array<char*, 2> environment{locale.data(), nullptr};
        pid_t pid = -1;
        const int failed = ::posix_spawn(&pid, program.c_str(), &m_actions, &m_attributes, arguments.data(), environment.data());
        if (failed != 0) {
            return failErrno("cannot start " + program.string(), failed);
        }
        return pid;
    }

private:
    posix_spawn_file_actions_t m_actions{};
    posix_spawnattr_t m_attributes{};
};

} // namespace

Result<TerminalProcess> TerminalProcess::start(const std::filesystem::path& program, UniqueFd channel) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return failErrno("cannot make a line to the terminal");
    }
    UniqueFd ours(ends[0]);
    auto window = outOfTheWay(UniqueFd(ends[1]));
    if (!window) {
        return fail(std::move(window).error());
    }
    auto session = outOfTheWay(std::move(channel));
    if (!session) {
        return fail(std::move(session).error());
    }
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) {
        return failErrno("cannot make a line to the terminal");
    }
    auto pid = Spawn(session->get(), window->get()).run(program);
    if (!pid) {
        return fail(std::move(pid).error());
    }
    return TerminalProcess(*pid, std::move(ours));
}

TerminalProcess::TerminalProcess(TerminalProcess&& other) noexcept
    : m_pid(std::exchange(other.m_pid, -1))
    , m_link(std::move(other.m_link)) {}

TerminalProcess& TerminalProcess::operator=(TerminalProcess&& other) noexcept {
    if (this != &other) {
        end();
        m_pid = std::exchange(other.m_pid, -1);
        m_link = std::move(other.m_link);
    }
    return *this;
}

void TerminalProcess::end() {
    m_link.reset();
    if (m_pid > 0) {
        (void)::kill(m_pid, SIGKILL);
        while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        m_pid = -1;
    }
}

} // namespace carrel::api
