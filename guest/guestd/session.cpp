// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/session.h"

#include "guest/protocol/control.h"
#include "guest/protocol/rpc.h"

#include <boost/json.hpp>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace carrel::guestd {

namespace json = boost::json;

namespace {

// Enough to keep the channel busy, little enough that a stalled reader costs almost nothing.
constexpr std::size_t kOutputQueue = 256 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;

std::string errorWords(const Error& error) {
    return json::serialize(json::object{{"error", toJson(error)}});
}

void setNonBlocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

std::string exitWords(const siginfo_t& info) {
    const char* what = info.si_code == CLD_EXITED ? "code" : "signal";
    return json::serialize(json::object{{"exit", json::object{{what, info.si_status}}}});
}

} // namespace

Session::Session(Channel& channel, EpochNumber epoch, std::uint32_t number)
    : m_channel(channel)
    , m_epoch(epoch)
    , m_number(number) {
    m_outputs[0].which = control::kSessionStdout;
    m_outputs[1].which = control::kSessionStderr;
}

void Session::say(const std::string& text) {
    // LimitExceeded cannot be: a session says little. A closed epoch is dealt with by hangUp().
    static_cast<void>(m_channel.sendMessage(m_epoch, stream(control::kSessionControl), asBytes(text)));
}

void Session::control(std::string_view message, Spawner* spawner) {
    auto request = parseSessionRequest(message);
    if (!request) {
        if (m_state == State::Waiting) {
            finish(errorWords(request.error()));
        }
        return; // a running command does not die of one bad message
    }
    if (const auto* wanted = std::get_if<StartSession>(&*request)) {
        if (m_state == State::Waiting) {
            start(*wanted, spawner);
        }
    } else if (const auto* toSend = std::get_if<SignalSession>(&*request)) {
        signal(toSend->number);
    } else if (const auto* toSize = std::get_if<ResizeSession>(&*request)) {
        resize(toSize->size);
    }
}

void Session::start(const StartSession& wanted, Spawner* spawner) {
    if (spawner == nullptr) {
        finish(errorWords(
            {ErrorCode::Unavailable, "the agent's account is being set up again", "Try again", 0, nullptr}));
        return;
    }
    for (const auto which : {control::kSessionStdout, control::kSessionStderr}) {
        m_channel.openStream(m_epoch, stream(which), StreamKind::Bytes);
    }
    auto spawned = startProcess(wanted, *spawner);
    if (!spawned) {
        finish(errorWords(spawned.error()));
        return;
    }
    m_pid = spawned->pid;
    m_pidfd = std::move(spawned->pidfd);
    m_execStatus = std::move(spawned->execStatus);
    setNonBlocking(m_execStatus.get());
    m_state = State::Starting;
}

Result<Spawned> Session::startProcess(const StartSession& wanted, Spawner& spawner) {
    m_request.argv = wanted.argv;
    m_request.environment = spawner.baseEnvironment();
    m_request.cwd = wanted.cwd.value_or(spawner.homeFolder());
    if (wanted.tty) {
        m_request.environment["TERM"] = wanted.tty->term.empty() ? "xterm-256color" : wanted.tty->term;
    }
    for (const auto& [key, value] : wanted.environment) {
        m_request.environment[key] = value;
    }
    if (wanted.tty) {
        auto pty = spawner.openPty();
        if (!pty) {
            return fail(pty.error());
        }
        m_terminal = true;
        m_input = UniqueFd(::fcntl(pty->master.get(), F_DUPFD_CLOEXEC, 3));
        m_outputs[0].fd = std::move(pty->master);
        m_outputs[0].open = true;
        setNonBlocking(m_outputs[0].fd.get());
        resize(wanted.tty->size);
        m_request.terminal = Terminal::Controlling;
        m_request.stdinFd = m_request.stdoutFd = m_request.stderrFd = pty->slave.get();
        return spawner.spawn(m_request);
    }
    auto in = makePipe();
    auto out = makePipe();
    auto err = makePipe();
    if (!in || !out || !err) {
        return fail(!in ? in.error() : (!out ? out.error() : err.error()));
    }
    m_input = std::move(in->write);
    m_outputs[0].fd = std::move(out->read);
    m_outputs[1].fd = std::move(err->read);
    setNonBlocking(m_input.get());
    for (auto& output : m_outputs) {
        output.open = true;
        setNonBlocking(output.fd.get());
    }
    m_request.stdinFd = in->read.get();
    m_request.stdoutFd = out->write.get();
    m_request.stderrFd = err->write.get();
    return spawner.spawn(m_request);
}

void Session::signal(int number) {
    if (m_pid <= 0 || (m_state != State::Starting && m_state != State::Running)) {
        return;
    }
    if (m_terminal) {
        const pid_t group = ::tcgetpgrp(m_outputs[0].fd.get());
        if (group > 0) {
            ::kill(-group, number);
            return;
        }
    }
    killGroup(number);
}

void Session::killGroup(int number) {
    // The leader is an unreaped child of ours, so its number cannot have been given to another group. Before
    // it has made its own session there is no such group yet: then the signal is for the process alone.
    if (m_pid > 0 && m_pidfd && ::kill(-m_pid, number) != 0) {
        ::kill(m_pid, number);
    }
}

void Session::resize(TerminalSize size) {
    if (m_terminal && m_outputs[0].fd) {
        winsize window{};
        window.ws_row = size.rows;
        window.ws_col = size.columns;
        ::ioctl(m_outputs[0].fd.get(), TIOCSWINSZ, &window); // the kernel sends SIGWINCH
    }
}

void Session::input(Bytes&& data) {
    if (m_inputGone || m_state == State::Draining || m_state == State::Over) {
        m_channel.consumed(m_epoch, stream(control::kSessionStdin), data.size());
        return;
    }
    m_pendingInput.push_back(std::move(data));
}

void Session::inputEnded() {
    m_hostEndedInput = true;
}

void Session::streamReset(std::uint32_t which) {
    if (which == control::kSessionControl) {
        killGroup(SIGKILL);
        m_hungUp = true; // nobody listens any more
        for (auto& output : m_outputs) {
            output.open = false;
        }
        for (const auto other : {control::kSessionStdin, control::kSessionStdout, control::kSessionStderr}) {
            m_channel.sendReset(m_epoch, stream(other), ECANCELED);
        }
        if (m_pid == 0) {
            m_state = State::Over;
        }
    } else if (which == control::kSessionStdin) {
        m_hostEndedInput = true;
        dropInput();
    } else {
        m_outputs[which - control::kSessionStdout].open =
            false; // the writer gets SIGPIPE, or its terminal goes
        if (!m_terminal) {
            m_outputs[which - control::kSessionStdout].fd.reset();
        }
    }
}

void Session::hangUp() {
    m_hungUp = true;
    killGroup(SIGHUP);
    m_pendingInput.clear();
    m_input.reset();
    // A terminal's last master: its foreground group gets SIGHUP from the kernel too. Pipes stay open and
    // what comes is dropped: a command that says a word while it cleans up must not die of SIGPIPE over it.
    if (m_terminal) {
        m_outputs[0].open = false;
        m_outputs[0].fd.reset();
    }
    if (m_pid == 0) {
        m_state = State::Over;
    }
}

bool Session::hasRoom(const Output& output) const {
    if (m_hungUp) {
        return true;
    }
    const auto queued = m_channel.queued(m_epoch, stream(output.which));
    return queued.has_value() && *queued < kOutputQueue;
}

void Session::collectPoll(std::vector<pollfd>& into) const {
    if (m_state == State::Waiting || m_state == State::Over) {
        return;
    }
    if (m_execStatus) {
        into.push_back({m_execStatus.get(), POLLIN, 0});
    }
    if (m_pidfd) {
        into.push_back({m_pidfd.get(), POLLIN, 0});
    }
    if (m_input && !m_pendingInput.empty() && m_state == State::Running) {
        into.push_back({m_input.get(), POLLOUT, 0});
    }
    for (const auto& output : m_outputs) {
        if (output.open && hasRoom(output)) {
            into.push_back({output.fd.get(), POLLIN, 0});
        }
    }
}

void Session::advance() {
    if (m_state == State::Waiting || m_state == State::Over) {
        return;
    }
    readExecStatus();
    if (m_state == State::Over) {
        return;
    }
    if (m_state != State::Starting) {
        pumpInput();
    }
    checkExit();
    bool done = true;
    for (auto& output : m_outputs) {
        done = pumpOutput(output) && done;
    }
    if (m_state == State::Draining && done) {
        finish(m_exitWords);
    }
}

void Session::readExecStatus() {
    if (!m_execStatus) {
        return;
    }
    ExecFailure failure;
    const ssize_t got = ::read(m_execStatus.get(), &failure, sizeof failure);
    if (got < 0) {
        return;
    }
    m_execStatus.reset();
    if (got == sizeof failure) {
        const Error error = describe(failure, m_request);
        for (auto& output : m_outputs) {
            output.open = false;
        }
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED); // it is ending as we speak
        m_pid = 0;
        m_pidfd.reset();
        finish(errorWords(error));
        return;
    }
    if (m_state == State::Starting) {
        m_state = State::Running;
        say(R"({"started":{}})");
    }
}

void Session::checkExit() {
    if (!m_pidfd) {
        return;
    }
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        return;
    }
    m_pidfd.reset();
    m_pid = 0;
    m_exitWords = exitWords(info);
    if (m_state == State::Starting) { // killed before it became its program
        m_execStatus.reset();
    }
    m_state = State::Draining;
    dropInput();
}

void Session::pumpInput() {
    while (m_input && !m_pendingInput.empty()) {
        const Bytes& piece = m_pendingInput.front();
        const ssize_t done =
            ::write(m_input.get(), piece.data() + m_pendingDone, piece.size() - m_pendingDone);
        if (done < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                dropInput(); // EPIPE: the command no longer reads
            }
            return;
        }
        m_channel.consumed(m_epoch, stream(control::kSessionStdin), static_cast<std::size_t>(done));
        m_pendingDone += static_cast<std::size_t>(done);
        if (m_pendingDone == piece.size()) {
            m_pendingInput.pop_front();
            m_pendingDone = 0;
        }
    }
    if (m_input && m_hostEndedInput) {
        if (m_terminal) {
            // A terminal has no half close; its line discipline has a character for the end of input.
            termios settings{};
            const char end =
                ::tcgetattr(m_input.get(), &settings) == 0 ? static_cast<char>(settings.c_cc[VEOF]) : '\x04';
            [[maybe_unused]] const ssize_t done = ::write(m_input.get(), &end, 1);
        }
        m_input.reset();
    }
}

void Session::dropInput() {
    if (m_inputGone) {
        return;
    }
    m_inputGone = true;
    m_input.reset();
    m_pendingInput.clear();
    if (m_hostEndedInput) {
        m_channel.sendEnd(m_epoch, stream(control::kSessionStdin));
    } else {
        m_channel.sendReset(m_epoch, stream(control::kSessionStdin), EPIPE);
    }
}

// True when nothing more will come from here (now that the command has ended, or for ever).
bool Session::pumpOutput(Output& output) {
    std::array<std::byte, kReadBytes> buffer;
    while (output.open) {
        if (!hasRoom(output)) {
            return false;
        }
        const ssize_t got = ::read(output.fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return m_state ==
                   State::Draining; // the command's own words are all read; others may hold the pipe
        }
        if (got <= 0) { // end of the pipe; a terminal says EIO when its last slave is gone
            output.open = false;
            break;
        }
        if (!m_hungUp && !m_channel.sendBytes(m_epoch, stream(output.which),
                                              {buffer.data(), static_cast<std::size_t>(got)})) {
            output.open =
                m_channel.epoch() != m_epoch; // over: hangUp() follows; else the host reset the stream
        }
    }
    return true;
}

void Session::finish(const std::string& lastWords) {
    if (!m_hungUp) {
        for (const auto& output : m_outputs) {
            m_channel.sendEnd(m_epoch, stream(output.which));
        }
        dropInput();
        say(lastWords);
        m_channel.sendEnd(m_epoch, stream(control::kSessionControl));
    }
    for (auto& output : m_outputs) {
        output.fd.reset();
        output.open = false;
    }
    m_state = State::Over;
}

} // namespace carrel::guestd
