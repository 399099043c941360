// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::runner {

using guestd::ExecFailure;

namespace {

void setNonBlocking(const UniqueFd& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

bool isGone(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0 || info.si_pid != 0;
}

} // namespace

void Reaper::take(pid_t pid, UniqueFd pidfd) {
    if (!isGone(pid)) {
        m_dying.push_back({pid, std::move(pidfd)});
    }
}

void Reaper::collectPoll(std::vector<pollfd>& into) const {
    for (const auto& each : m_dying) {
        into.push_back({each.pidfd.get(), POLLIN, 0});
    }
}

void Reaper::advance() {
    std::erase_if(m_dying, [](const Dying& each) { return isGone(each.pid); });
}

Result<std::unique_ptr<Child>> Child::start(guestd::Spawner& spawner, guestd::SpawnRequest request, Errors errors, Reaper& reaper) {
    auto in = guestd::makePipe();
    auto out = guestd::makePipe();
    auto err = errors == Errors::Apart ? guestd::makePipe() : Result<guestd::Pipe>(guestd::Pipe{});
    for (const auto* pipe : {&in, &out, &err}) {
        if (!*pipe) {
            return fail(pipe->error());
        }
    }
    request.terminal = guestd::Terminal::None;
    request.stdinFd = in->read.get();
    request.stdoutFd = out->write.get();
    request.stderrFd = errors == Errors::Apart ? err->write.get() : out->write.get();
    auto spawned = spawner.spawn(request);
    if (!spawned) {
        return fail(spawned.error());
    }
    std::unique_ptr<Child> child(new Child(reaper));
    child->m_request = std::move(request);
    child->m_pid = spawned->pid;
    child->m_pidfd = std::move(spawned->pidfd);
    child->m_execStatus = std::move(spawned->execStatus);
    child->m_in = std::move(in->write);
    child->m_out = std::move(out->read);
    child->m_err = std::move(err->read);
    for (const auto* fd : {&child->m_execStatus, &child->m_in, &child->m_out}) {
        setNonBlocking(*fd);
    }
    if (child->m_err) {
        setNonBlocking(child->m_err);
    }
    return child;
}

Child::~Child() {
    signal(SIGKILL);
    m_reaper.take(m_pid, std::move(m_pidfd));
}

void Child::signal(int number) const {
    // Before it has made its own session there is no such group: then it is for the process alone.
    if (::kill(-m_pid, number) != 0) {
        ::kill(m_pid, number);
    }
}

void Child::write(std::string_view bytes) {
    m_unwritten += bytes;
    pump();
}

void Child::endInput() {
    m_inputEnds = true;
    pump();
}

void Child::pump() {
    std::size_t done = 0;
    while (m_in && done < m_unwritten.size()) {
        const ssize_t wrote = ::write(m_in.get(), m_unwritten.data() + done, m_unwritten.size() - done);
        if (wrote > 0) {
            done += static_cast<std::size_t>(wrote);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) { // EPIPE: it reads no more
            m_in.reset();
        }
    }
    m_unwritten.erase(0, done);
    if (!m_in) {
        m_unwritten.clear();
    } else if (m_unwritten.empty() && m_inputEnds) {
        m_in.reset();
    }
}

Child::More Child::read(UniqueFd& from, std::string& into, std::size_t most) {
    if (!from) {
        return More::Never;
    }
    const auto before = into.size();
    into.resize(before + most);
    ssize_t got = 0;
    do {
        got = ::read(from.get(), into.data() + before, most);
    } while (got < 0 && errno == EINTR);
    const bool comesLater = got < 0 && errno == EAGAIN;
    into.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) {
        return More::Perhaps;
    }
    if (comesLater) {
        return More::Later;
    }
    from.reset();
    return More::Never;
}

void Child::collectPoll(std::vector<pollfd>& into) const {
    for (const auto* fd : {&m_execStatus, &m_out, &m_err}) {
        if (*fd) {
            into.push_back({fd->get(), POLLIN, 0});
        }
    }
    if (!m_exit) {
        into.push_back({m_pidfd.get(), POLLIN, 0});
    }
    if (m_in && !m_unwritten.empty()) {
        into.push_back({m_in.get(), POLLOUT, 0});
    }
}

void Child::advance() {
    // First: what it says of how it began is whole then.
    siginfo_t info{};
    if (!m_exit && ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        const auto number = static_cast<unsigned>(info.si_status);
        m_exit = info.si_code == CLD_EXITED ? Exit{number, std::nullopt} : Exit{std::nullopt, number};
    }
    if (m_execStatus) {
        ExecFailure failure;
        const ssize_t got = ::read(m_execStatus.get(), &failure, sizeof failure);
        if (got >= 0) {
            m_execStatus.reset();
            m_began = got == sizeof failure ? Began::No : Began::Yes;
            if (m_began == Began::No) {
                m_whyNot = guestd::describe(failure, m_request);
            }
        }
    }
    pump();
}

} // namespace carrel::runner
