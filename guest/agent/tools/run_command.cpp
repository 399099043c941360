// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/run_command.h"

#include "guest/agent/tools/session_end.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/stop_bell.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace carrel::agent {

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kMostAfterwards = 1024 * 1024; // as much as a pipe can hold: what is written later is not the command's
constexpr int kFirstOther = 3;

using Clock = std::chrono::steady_clock;

class SpawnPlan {
public:
    SpawnPlan() {
        ::posix_spawn_file_actions_init(&m_actions);
        ::posix_spawnattr_init(&m_attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&m_actions);
        ::posix_spawnattr_destroy(&m_attributes);
    }
    // 0, or an errno.
    int start(const std::string& text, int folder, int output, pid_t& pid) {
        sigset_t all;
        sigset_t none;
        sigfillset(&all);
        sigemptyset(&none);
        ::posix_spawnattr_setsigdefault(&m_attributes, &all);
        ::posix_spawnattr_setsigmask(&m_attributes, &none);
        ::posix_spawnattr_setflags(&m_attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        int error = ::posix_spawn_file_actions_addopen(&m_actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        error = error != 0 ? error : ::posix_spawn_file_actions_adddup2(&m_actions, output, STDOUT_FILENO);
        error = error != 0 ? error : ::posix_spawn_file_actions_adddup2(&m_actions, output, STDERR_FILENO);
        error = error != 0 ? error : ::posix_spawn_file_actions_addfchdir_np(&m_actions, folder);
        error = error != 0 ? error : ::posix_spawn_file_actions_addclosefrom_np(&m_actions, kFirstOther);
        if (error != 0) {
            return error;
        }
        std::string shell = "bash";
        std::string option = "-c";
        std::string command = text;
        char* const arguments[] = {shell.data(), option.data(), command.data(), nullptr};
        return ::posix_spawn(&pid, "/bin/bash", &m_actions, &m_attributes, arguments, environ);
    }

private:
    posix_spawn_file_actions_t m_actions{};
    posix_spawnattr_t m_attributes{};
};

class Output {
public:
    Output(UniqueFd pipe, std::size_t most)
        : m_pipe(std::move(pipe))
        , m_kept(most) {}
    [[nodiscard]] int fd() const { return m_pipe.get(); } // -1: it is over
    // How much there was; nothing where nothing is there now, or it is over.
    std::size_t take() {
        if (!m_pipe) {
            return 0;
        }
        char space[kPiece];
        const auto got = ::read(m_pipe.get(), space, sizeof space);
        if (got > 0) {
            m_kept.feed(m_mender.feed({space, static_cast<std::size_t>(got)}));
            return static_cast<std::size_t>(got);
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            m_pipe.reset();
        }
        return 0;
    }
    [[nodiscard]] std::string finish() {
        for (std::size_t taken = 0; taken < kMostAfterwards;) {
            const auto got = take();
            if (got == 0) {
                break;
            }
            taken += got;
        }
        m_kept.feed(m_mender.finish());
        return m_kept.text();
    }

private:
    UniqueFd m_pipe;
    Utf8Mender m_mender;
    KeptEnds m_kept;
};

// A number for poll(2), which rounds down and takes no more than an int.
int waitOf(Clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

// Nothing: it exited by itself.
std::optional<CommandEnd> follow(int process, Output& output, Clock::time_point until, const StopBell& bell) {
    for (;;) {
        pollfd ends[] = {{process, POLLIN, 0}, {bell.fd(), POLLIN, 0}, {output.fd(), POLLIN, 0}};
        const int ready = ::poll(ends, 3, waitOf(until));
        if (ends[1].revents != 0) {
            return CommandEnd::Stopped;
        }
        if (ready > 0 && ends[0].revents != 0) {
            return std::nullopt;
        }
        if (Clock::now() >= until) {
            return CommandEnd::TimeLimit;
        }
        if (ready > 0 && ends[2].revents != 0) {
            output.take();
        }
    }
}

Result<UniqueFd> openFolder(const std::string& path) {
    UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) {
        auto error = errnoError("entering the folder");
        error.code = error.sysErrno == ENOENT || error.sysErrno == ENOTDIR ? ErrorCode::NotFound : error.code;
        return fail(std::move(error));
    }
    return folder;
}

} // namespace

Result<CommandOutcome> runCommand(const Command& command, const std::stop_token& stop) {
    if (command.text.find('\0') != std::string::npos || command.directory.find('\0') != std::string::npos) {
        return fail(ErrorCode::InvalidArgument, "a command and a folder cannot hold a NUL");
    }
    const auto folder = openFolder(command.directory);
    if (!folder) {
        return fail(folder.error());
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("making a pipe");
    }
    UniqueFd writeEnd(ends[1]);
    Output output{UniqueFd(ends[0]), command.outputBytes};
    // Of our end alone: a program that finds its output not blocking loses some of it.
    if (::fcntl(output.fd(), F_SETFL, O_NONBLOCK) != 0) {
        return failErrno("making a pipe");
    }
    const StopBell bell(stop);
    if (bell.fd() < 0) {
        return failErrno("making ready to stop");
    }
    pid_t pid = 0;
    if (const int error = SpawnPlan().start(command.text, folder->get(), writeEnd.get(), pid); error != 0) {
        auto failed = errnoError("starting bash", error);
        if (error == E2BIG) {
            failed.code = ErrorCode::LimitExceeded;
            failed.hint = "the command is too long: write it to a file, and run that";
        }
        return fail(std::move(failed));
    }
    writeEnd.reset();
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    CommandOutcome out;
    const int watchError = process ? 0 : errno;
    const auto ended = process ? follow(process.get(), output, Clock::now() + command.limit, bell) : CommandEnd::Stopped;
    // Before it is reaped: its number is its group's and its session's, and cannot be anybody else's as long as it is there.
    out.others = endSession(pid);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (watchError != 0) {
        return failErrno("watching the command", watchError);
    }
    out.output = output.finish();
    if (ended) {
        out.end = *ended;
        out.others = 0;
    } else if (WIFSIGNALED(status)) {
        out.end = CommandEnd::Signal;
        out.number = WTERMSIG(status);
    } else {
        out.number = WEXITSTATUS(status);
    }
    return out;
}

} // namespace carrel::agent
