// SPDX-License-Identifier: Apache-2.0
#include "app/cli/script_runner.h"

#include "app/cli/session.h"
#include "hypervisor/confine/confine.h"

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

Result<UniqueFd> fileOf(std::string_view script) {
    UniqueFd file(::memfd_create("script", MFD_CLOEXEC));
    if (!file) {
        return failErrno("cannot make a file in memory");
    }
    while (!script.empty()) {
        const ssize_t written = ::write(file.get(), script.data(), script.size());
        if (written < 0) {
            return failErrno("cannot write a file in memory");
        }
        script.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(file.get(), 0, SEEK_SET) != 0) {
        return failErrno("cannot rewind a file in memory");
    }
    return file;
}

Result<int> waitFor(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return failErrno("cannot wait for a process");
        }
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Until it goes, signals for this process wait: the child has the same terminal and forwards them to the
// guest.
class SignalsHeld {
public:
    SignalsHeld() { ::sigprocmask(SIG_BLOCK, nullptr, &m_before); }
    ~SignalsHeld() { ::sigprocmask(SIG_SETMASK, &m_before, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

private:
    sigset_t m_before{};
};

constexpr int kFirstKept = 3;

// Everything but the standard streams, the session and the signals is closed: above all the connection to the
// engine, which holds the owner's rights.
[[noreturn]] void showSession(Context& context, const UniqueFd& input, const UniqueFd& channel,
                              const UniqueFd& signals, ScriptOutput output) {
    constexpr int kAbove = 64; // clear of the numbers that they get below
    const int in = ::fcntl(input.get(), F_DUPFD, kAbove);
    const int session = ::fcntl(channel.get(), F_DUPFD, kAbove);
    const int caught = ::fcntl(signals.get(), F_DUPFD, kAbove);
    const bool placed = in >= 0 && session >= 0 && caught >= 0 && ::dup2(in, STDIN_FILENO) >= 0 &&
                        (output == ScriptOutput::Here || ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) &&
                        ::dup2(session, kFirstKept) >= 0 && ::dup2(caught, kFirstKept + 1) >= 0 &&
                        ::close_range(kFirstKept + 2, ~0U, 0) == 0;
    if (!placed) {
        ::_exit(kExitOwnFailure);
    }
    SessionSetup setup;
    setup.channel = UniqueFd(kFirstKept);
    setup.confine = [] { return confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer); };
    auto status = runSession(std::move(setup), UniqueFd(kFirstKept + 1));
    if (!status) {
        (void)context.failed(status.error());
        ::_exit(exitStatusOf(status.error()));
    }
    ::_exit(*status);
}

} // namespace

Result<int> runHostScript(std::string_view script, const std::vector<std::string>& arguments) {
    auto file = fileOf(script);
    if (!file) {
        return fail(std::move(file).error());
    }
    std::vector<std::string> words{"python3", "-"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        environment.push_back(*variable);
    }
    std::string utf8 = "PYTHONUTF8=1"; // names with umlauts, whatever the locale
    environment.push_back(utf8.data());
    environment.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, file->get(), STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int failed =
        ::posix_spawnp(&child, argv.front(), &actions, nullptr, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT) {
        return fail(ErrorCode::NotFound,
                    "there is no python3 on this computer, which makes the sample folder",
                    "Install it (Debian: apt install python3), then try again.");
    }
    if (failed != 0) {
        return failErrno("cannot start python3", failed);
    }
    return waitFor(child);
}

Result<int> runGuestScript(Context& context, const std::string& agent, const std::string& cwd,
                           std::string_view script, ScriptOutput output) {
    auto file = fileOf(script);
    if (!file) {
        return fail(std::move(file).error());
    }
    const SignalsHeld held;
    auto signals = catchSignals();
    if (!signals) {
        return fail(std::move(signals).error());
    }
    json::object params{{"agent", agent},
                        {"argv", json::array{"python3", "-"}},
                        {"env", {{"LANG", "C.UTF-8"}}},
                        {"cwd", cwd},
                        {"tty", nullptr}};
    auto opened = context.call("exec.open", std::move(params));
    if (!opened) {
        return fail(std::move(opened).error());
    }
    const UniqueFd channel = context.takeDescriptor();
    if (!channel) {
        return fail(ErrorCode::Malformed, "the engine's answer came without a session");
    }
    const pid_t child = ::fork();
    if (child < 0) {
        return failErrno("cannot start a process");
    }
    if (child == 0) {
        showSession(context, *file, channel, *signals, output);
    }
    return waitFor(child);
}

} // namespace carrel::cli
