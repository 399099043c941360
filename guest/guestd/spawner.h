// SPDX-License-Identifier: Apache-2.0
// Starts one command. Sessions and the runner of agent programs see only this interface: in the machine the command starts in the
// agent's namespaces (agent_space.h), in tests as a plain child. Thread: any, several at a time, except where the
// spawner says otherwise.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace carrel::guestd {

enum class Terminal { None, Controlling }; // Controlling: stdin is a terminal and becomes the session's own

struct SpawnRequest {
    std::vector<std::string> argv;                  // at least one
    std::map<std::string, std::string> environment; // complete
    std::string cwd;
    Terminal terminal = Terminal::None;
    int stdinFd = -1; // borrowed until spawn() returns
    int stdoutFd = -1;
    int stderrFd = -1;
};

// How far a command got before it became its program. Nothing is written when it did: the pipe just ends.
struct ExecFailure {
    enum class Step : int { Folder, Program, Other };
    Step step = Step::Other;
    int number = 0; // errno
};
// What a person (and the shell's 126 and 127) should hear: NotFound: no such program. Refused: it is there
// and cannot run. InvalidArgument: the working folder. Internal: anything else.
[[nodiscard]] Error describe(const ExecFailure& failure, const SpawnRequest& request);

struct Spawned {
    pid_t pid = 0; // a child of this process, leader of its own session and process group
    UniqueFd pidfd;
    UniqueFd execStatus; // one ExecFailure, or the end of the pipe when the program runs
};

struct PtyPair {
    UniqueFd master;
    UniqueFd slave;
};

class Spawner {
public:
    virtual ~Spawner() = default;
    [[nodiscard]] virtual Result<Spawned> spawn(const SpawnRequest& request) = 0;
    [[nodiscard]] virtual Result<PtyPair> openPty() = 0;
    // What a command's environment starts from.
    [[nodiscard]] virtual std::map<std::string, std::string> baseEnvironment() const = 0;
    [[nodiscard]] virtual std::string homeFolder() const = 0;
};

// The arrays that execve(2) takes, made before fork(2): between fork and exec of a process with threads only
// async-signal-safe functions may run (signal-safety(7)).
class PreparedExec {
public:
    explicit PreparedExec(const SpawnRequest& request);
    PreparedExec(const PreparedExec&) = delete;
    PreparedExec& operator=(const PreparedExec&) = delete;

    // In the child, already in the right place: own session, descriptors 0 to 2, signals, limits, working
    // folder, program. Does not return. `statusFd` is close-on-exec.
    [[noreturn]] void run(int statusFd) const;

private:
    void becomeProgram(int statusFd) const;

    std::vector<std::string> m_arguments;
    std::vector<std::string> m_environment;
    std::vector<std::string> m_candidates; // argv[0] along PATH
    std::string m_cwd;
    Terminal m_terminal;
    int m_fds[3];
    std::vector<char*> m_argv;
    std::vector<char*>
        m_script; // "/bin/sh", candidate, rest: for scripts without an interpreter line, as execvp(3)
    std::vector<char*> m_envp;
};

// Forks and becomes the program. `enter` runs in the child before anything else, of what may run there; 0, or the errno for which the
// child ends, told as a failure of Step::Other.
[[nodiscard]] Result<Spawned> forkAndRun(const SpawnRequest& request, const std::function<int()>& enter);

[[nodiscard]] Result<UniqueFd> pidfdOf(pid_t pid);
// Non-blocking, close-on-exec pipe ends are asked for by the caller; this one is close-on-exec only.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
[[nodiscard]] Result<Pipe> makePipe();

// A child of this process with this process's own rights. For tests.
class PlainSpawner final : public Spawner {
public:
    [[nodiscard]] Result<Spawned> spawn(const SpawnRequest& request) override;
    [[nodiscard]] Result<PtyPair> openPty() override;
    [[nodiscard]] std::map<std::string, std::string> baseEnvironment() const override;
    [[nodiscard]] std::string homeFolder() const override { return "/"; }
};

} // namespace carrel::guestd
