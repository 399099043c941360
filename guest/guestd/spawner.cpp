// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/spawner.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> candidatesOf(const std::string& program, const std::string& path) {
    if (program.empty() || program.find('/') != std::string::npos) {
        return {program};
    }
    std::vector<std::string> found;
    std::size_t start = 0;
    while (start <= path.size()) {
        const auto end = std::min(path.find(':', start), path.size());
        const std::string folder = path.substr(start, end - start);
        found.push_back((folder.empty() ? std::string(".") : folder) + "/" + program);
        start = end + 1;
    }
    return found;
}

void report(int statusFd, ExecFailure::Step step, int number) {
    const ExecFailure failure{step, number};
    [[maybe_unused]] const ssize_t done = ::write(statusFd, &failure, sizeof failure);
}

void resetSignals() {
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        ::sigaction(number, &plain, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Debian's own defaults: programs that close "every descriptor" crawl through a million otherwise.
void sensibleLimits() {
    const rlimit files{1024, 524288};
    ::setrlimit(RLIMIT_NOFILE, &files);
    const rlimit noCore{0, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &noCore);
}

} // namespace

Error describe(const ExecFailure& failure, const SpawnRequest& request) {
    const std::string& program = request.argv.front();
    Error error;
    error.sysErrno = failure.number;
    const std::string why = std::strerror(failure.number);
    switch (failure.step) {
    case ExecFailure::Step::Folder:
        error.code = ErrorCode::InvalidArgument;
        error.message = "the working folder " + request.cwd + " cannot be entered: " + why;
        break;
    case ExecFailure::Step::Program:
        if (failure.number == ENOENT || failure.number == ENOTDIR) {
            error.code = ErrorCode::NotFound;
            error.message = "the machine has no program " + program;
        } else {
            error.code = ErrorCode::Refused;
            error.message = program + " is there but cannot run: " + why;
        }
        break;
    case ExecFailure::Step::Other:
        error.code = ErrorCode::Internal;
        error.message = "preparing a process for " + program + " failed: " + why;
        break;
    }
    return error;
}

PreparedExec::PreparedExec(const SpawnRequest& request)
    : m_arguments(request.argv)
    , m_cwd(request.cwd)
    , m_terminal(request.terminal)
    , m_fds{request.stdinFd, request.stdoutFd, request.stderrFd} {
    const auto path = request.environment.find("PATH");
    m_candidates =
        candidatesOf(m_arguments.front(), path == request.environment.end() ? kDefaultPath : path->second);
    for (const auto& [key, value] : request.environment) {
        m_environment.push_back(key + "=" + value);
    }
    static char shell[] = "/bin/sh";
    m_script = {shell, nullptr}; // the candidate takes the second place
    for (auto& argument : m_arguments) {
        m_argv.push_back(argument.data());
    }
    m_script.insert(m_script.end(), m_argv.begin() + 1, m_argv.end());
    m_argv.push_back(nullptr);
    m_script.push_back(nullptr);
    for (auto& variable : m_environment) {
        m_envp.push_back(variable.data());
    }
    m_envp.push_back(nullptr);
}

void PreparedExec::becomeProgram(int statusFd) const {
    int number = ENOENT;
    for (const auto& candidate : m_candidates) {
        ::execve(candidate.c_str(), m_argv.data(), m_envp.data());
        if (errno == ENOEXEC) {
            auto* script = const_cast<char**>(m_script.data());
            script[1] = const_cast<char*>(candidate.c_str());
            ::execve(script[0], script, m_envp.data());
        }
        if (errno == EACCES) {
            number = EACCES; // like execvp(3): look on, but remember that there was one
        } else if (errno != ENOENT && errno != ENOTDIR) {
            number = errno;
            break;
        }
    }
    report(statusFd, ExecFailure::Step::Program, number);
}

void PreparedExec::run(int statusFd) const {
    ::setsid();
    // First above 2, so that none is overwritten before it was copied.
    int moved[3];
    for (int i = 0; i < 3; ++i) {
        moved[i] = ::fcntl(m_fds[i], F_DUPFD_CLOEXEC, 3);
    }
    for (int i = 0; i < 3; ++i) {
        if (moved[i] < 0 || ::dup2(moved[i], i) < 0) {
            report(statusFd, ExecFailure::Step::Other, errno);
            ::_exit(127);
        }
    }
    if (m_terminal == Terminal::Controlling && ::ioctl(0, TIOCSCTTY, 0) != 0) {
        report(statusFd, ExecFailure::Step::Other, errno);
        ::_exit(127);
    }
    ::umask(022);
    sensibleLimits();
    resetSignals();
    // Everything else goes now and not at exec: entering a folder or a program may hang on a file system of
    // the agent's own, and a hung child must not hold on to the ends of other commands' pipes.
    if (::dup3(statusFd, 3, O_CLOEXEC) == 3 || statusFd == 3) {
        statusFd = 3;
        ::close_range(4, ~0U, 0);
    }
    if (::chdir(m_cwd.c_str()) != 0) {
        report(statusFd, ExecFailure::Step::Folder, errno);
        ::_exit(127);
    }
    becomeProgram(statusFd);
    ::_exit(127);
}

Result<UniqueFd> pidfdOf(pid_t pid) {
    const long fd = ::syscall(SYS_pidfd_open, pid, 0U);
    if (fd < 0) {
        return failErrno("watching a process");
    }
    return UniqueFd(static_cast<int>(fd));
}

Result<Pipe> makePipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("making a pipe");
    }
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Spawned> forkAndRun(const SpawnRequest& request, const std::function<int()>& enter) {
    const PreparedExec prepared(request);
    auto status = makePipe();
    if (!status) {
        return fail(status.error());
    }
    const pid_t child = ::fork();
    if (child == 0) {
        if (const int error = enter(); error != 0) {
            const ExecFailure failure{ExecFailure::Step::Other, error};
            [[maybe_unused]] const ssize_t told = ::write(status->write.get(), &failure, sizeof failure);
            ::_exit(127);
        }
        prepared.run(status->write.get());
    }
    if (child < 0) {
        return failErrno("starting a process");
    }
    auto pidfd = pidfdOf(child);
    if (!pidfd) {
        return fail(pidfd.error());
    }
    return Spawned{child, std::move(*pidfd), std::move(status->read)};
}

Result<Spawned> PlainSpawner::spawn(const SpawnRequest& request) {
    return forkAndRun(request, [] { return 0; });
}

Result<PtyPair> PlainSpawner::openPty() {
    UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master || ::unlockpt(master.get()) != 0) {
        return failErrno("opening a terminal");
    }
    UniqueFd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave) {
        return failErrno("opening a terminal");
    }
    return PtyPair{std::move(master), std::move(slave)};
}

std::map<std::string, std::string> PlainSpawner::baseEnvironment() const {
    return {{"PATH", kDefaultPath}, {"LANG", "C.UTF-8"}};
}

} // namespace carrel::guestd
