// SPDX-License-Identifier: Apache-2.0
#include "app/api/terminal_process.h"

#include "app/api/spawn_setup.h"

#include <array>
#include <csignal>
#include <fcntl.h>
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
    SpawnSetup setup;
    setup.giveNothing(1);
    setup.giveNothing(2);
    setup.give(session->get(), kTerminalChannel);
    setup.give(window->get(), kTerminalWindow);
    setup.closeFrom(kFirstClosed); // a library of the window's may have left one open
    auto pid = setup.start(program, {}, {"LC_ALL=C.UTF-8"});
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
