// SPDX-License-Identifier: Apache-2.0
// Starts carrel-terminal, which shows a window what a session of exec.open draws (app/terminal, terminal_wire.h), and ends it.
// The program is handed the session's channel as descriptor 3 and the line to the window as 4; standard input, output and errors
// are /dev/null, no other descriptor and nothing of the environment goes along. It dies with this object, whatever it does.
// Owner: one window. Thread: the owner's; the program is also ended when the thread that started it is.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <filesystem>
#include <sys/types.h>
#include <utility>

namespace carrel::api {

inline constexpr int kTerminalChannel = 3;
inline constexpr int kTerminalWindow = 4;

class TerminalProcess {
public:
    // Takes the channel, whatever comes of it.
    [[nodiscard]] static Result<TerminalProcess> start(const std::filesystem::path& program, UniqueFd channel);

    TerminalProcess(TerminalProcess&& other) noexcept;
    TerminalProcess& operator=(TerminalProcess&& other) noexcept;
    TerminalProcess(const TerminalProcess&) = delete;
    TerminalProcess& operator=(const TerminalProcess&) = delete;
    ~TerminalProcess() { end(); }

    // A stream socket, not blocking; its end is the program's.
    [[nodiscard]] int link() const { return m_link.get(); }
    [[nodiscard]] pid_t pid() const { return m_pid; }
    // At once, by force: it has nothing to put in order. The session goes with its channel.
    void end();

private:
    TerminalProcess(pid_t pid, UniqueFd link)
        : m_pid(pid)
        , m_link(std::move(link)) {}

    pid_t m_pid = -1;
    UniqueFd m_link;
};

} // namespace carrel::api
