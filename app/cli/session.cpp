// SPDX-License-Identifier: Apache-2.0
#include "app/cli/session.h"

#include "app/api/exec_words.h"
#include "app/cli/outlet.h"
#include "app/cli/terminal_mode.h"
#include "guest/protocol/mux.h"

#include <array>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::cli {

namespace {

constexpr std::size_t kMaxInputQueued = 128 * 1024;
// So many requests to end without an end, and we go: the guest does not decide how long we stay.
constexpr int kPatienceWithTerm = 3;

class Session {
public:
    Session(SessionSetup& setup, int signals)
        : m_setup(setup)
        , m_signals(signals)
        , m_out(setup.output)
        , m_err(setup.errors)
        , m_mux(Side::Host, events(), Mux::Options{.maxMessage = api::kMaxExecWord}) {
        m_mux.beginLocal(api::kExecTag);
        m_mux.openStream(api::kExecControl, StreamKind::Messages);
        m_mux.openStream(api::kExecStdin, StreamKind::Bytes);
    }

    Result<int> run();
    [[nodiscard]] std::string restore() const { return m_out.restore() + m_err.restore(); }

private:
    Mux::Events events();
    void onData(std::uint32_t stream, Bytes&& data);
    void onControl(std::string_view text);
    void onStreamEnd(std::uint32_t stream);
    void failWith(Error error) {
        if (!m_result) {
            m_result = fail(std::move(error));
        }
    }
    void sendControl(std::string_view message);
    void sendSize();
    void onSignal();
    void readChannel();
    void writeChannel();
    void readInput();
    void drain(Outlet& outlet, std::uint32_t stream);
    [[nodiscard]] bool over() const;
    void pollOnce();

    SessionSetup& m_setup;
    int m_signals;
    Outlet m_out;
    Outlet m_err;
    Mux m_mux;
    std::optional<Result<int>> m_result; // the exit status or why there is none
    Bytes m_toChannel;
    bool m_inputEnded = false;
    bool m_channelEnded = false;
    bool m_hurry = false; // asked to end after the command had ended: do not wait for its output
    int m_terms = 0;
};

Mux::Events Session::events() {
    Mux::Events events;
    events.data = [this](std::uint32_t stream, Bytes&& data) { onData(stream, std::move(data)); };
    events.end = [this](std::uint32_t stream) { onStreamEnd(stream); };
    events.reset = [this](std::uint32_t stream, std::uint32_t) {
        onStreamEnd(stream);
        if (stream == api::kExecControl) {
            failWith(Error{ErrorCode::Unavailable, "the machine ended the session", {}, 0, nullptr});
        } else if (stream == api::kExecStdin) {
            m_inputEnded = true; // the command reads no more
        }
    };
    events.spoilt = [this](std::string_view) {
        m_channelEnded = true;
        failWith(Error{ErrorCode::Malformed,
                       "the machine's side broke the protocol, so the session was ended",
                       {},
                       0,
                       nullptr});
    };
    events.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
        if (stream == api::kExecStdout || stream == api::kExecStderr) {
            return StreamKind::Bytes;
        }
        return std::nullopt;
    };
    return events;
}

void Session::onData(std::uint32_t stream, Bytes&& data) {
    if (stream == api::kExecStdout) {
        m_out.put(asText(data));
    } else if (stream == api::kExecStderr) {
        m_err.put(asText(data));
    } else {
        const auto size = data.size();
        if (stream == api::kExecControl) {
            onControl(asText(data));
        }
        m_mux.consumed(stream, size);
    }
}

void Session::onControl(std::string_view text) {
    auto word = api::execWord(text);
    if (!word) {
        failWith(std::move(word).error());
    } else if (auto* error = std::get_if<Error>(&*word)) {
        failWith(std::move(*error));
    } else if (const auto* exited = std::get_if<api::ExecExited>(&*word); exited != nullptr && !m_result) {
        m_result = exited->code;
    } else if (const auto* signalled = std::get_if<api::ExecSignalled>(&*word); signalled != nullptr && !m_result) {
        m_result = 128 + signalled->number;
    }
}

void Session::onStreamEnd(std::uint32_t stream) {
    if (stream == api::kExecStdout) {
        m_out.end();
    } else if (stream == api::kExecStderr) {
        m_err.end();
    }
}

void Session::sendControl(std::string_view message) {
    if (!m_channelEnded) {
        (void)m_mux.sendMessage(api::kExecControl, asBytes(message));
    }
}

void Session::sendSize() {
    const auto size = terminalSize(m_setup.input);
    sendControl(api::execResize(size.rows, size.columns));
}

void Session::onSignal() {
    signalfd_siginfo info{};
    if (::read(m_signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
        return;
    }
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) {
        if (m_setup.kind == SessionKind::Terminal) {
            sendSize();
        }
        return;
    }
    if (m_result) {
        m_hurry = true;
        return;
    }
    sendControl(api::execSignal(number));
    if ((number == SIGTERM || number == SIGHUP) && ++m_terms >= kPatienceWithTerm) {
        m_hurry = true;
        failWith(Error{ErrorCode::Cancelled,
                       "the command did not end when it was told to, so it was left behind",
                       {},
                       0,
                       nullptr});
    }
}

void Session::readChannel() {
    std::array<std::byte, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(m_setup.channel.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
        m_mux.feed({buffer.data(), static_cast<std::size_t>(got)});
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        m_channelEnded = true;
        failWith(Error{ErrorCode::Unavailable, "the connection to the machine was lost",
                       "See 'carrel list' for its state and 'carrel timeline' for what happened.", 0,
                       nullptr});
    }
}

void Session::writeChannel() {
    if (m_toChannel.empty()) {
        m_toChannel = m_mux.takeOutput();
    }
    if (m_toChannel.empty()) {
        return;
    }
    const ssize_t sent =
        ::send(m_setup.channel.get(), m_toChannel.data(), m_toChannel.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        m_toChannel.erase(m_toChannel.begin(), m_toChannel.begin() + sent);
    } else if (errno == EPIPE || errno == ECONNRESET) {
        m_toChannel.clear(); // the reading side sees the end, after what there still is to read
        m_inputEnded = true;
    }
}

void Session::readInput() {
    std::array<char, 32 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const ssize_t got = ::read(m_setup.input, buffer.data(), buffer.size());
    if (got > 0) {
        (void)m_mux.sendBytes(api::kExecStdin, asBytes({buffer.data(), static_cast<std::size_t>(got)}));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        m_inputEnded = true;
        m_mux.sendEnd(api::kExecStdin);
    }
}

void Session::drain(Outlet& outlet, std::uint32_t stream) {
    const bool wasBroken = outlet.broken();
    if (const auto taken = outlet.write(); taken > 0 && !m_channelEnded) {
        m_mux.consumed(stream, taken);
    }
    if (outlet.broken() && !wasBroken) {
        sendControl(api::execSignal(SIGPIPE)); // nobody reads any more: the command learns it as on one computer
    }
}

// The exit message has its own stream and may overtake output that waits for credit.
bool Session::over() const {
    if (!m_result) {
        return false;
    }
    if (m_hurry || !*m_result) {
        return m_hurry || (m_out.empty() && m_err.empty());
    }
    const bool errorsDone = m_setup.kind == SessionKind::Terminal || m_err.ended() || m_channelEnded;
    return m_out.empty() && m_err.empty() && (m_out.ended() || m_channelEnded) && errorsDone;
}

void Session::pollOnce() {
    enum Which { kChannelAt, kSignalsAt, kInputAt, kOutputAt, kErrorsAt, kCount };
    const auto when = [](bool wanted, int fd, short events) { return pollfd{wanted ? fd : -1, events, 0}; };
    const bool sends = !m_toChannel.empty() || m_mux.hasOutput();
    std::array<pollfd, kCount> polled{
        when(!m_channelEnded, m_setup.channel.get(), static_cast<short>(sends ? POLLIN | POLLOUT : POLLIN)),
        when(true, m_signals, POLLIN),
        when(!m_inputEnded && !m_channelEnded && m_mux.queued(api::kExecStdin) < kMaxInputQueued, m_setup.input,
             POLLIN),
        when(!m_out.empty(), m_setup.output, POLLOUT), when(!m_err.empty(), m_setup.errors, POLLOUT)};
    if (::poll(polled.data(), polled.size(), -1) < 0) {
        return; // EINTR: a signal that is not ours to forward
    }
    if (polled[kSignalsAt].revents != 0) {
        onSignal();
    }
    if ((polled[kChannelAt].revents & POLLOUT) != 0) {
        writeChannel();
    }
    if ((polled[kChannelAt].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        readChannel();
    }
    if (polled[kInputAt].revents != 0) {
        readInput();
    }
    if (polled[kOutputAt].revents != 0) {
        drain(m_out, api::kExecStdout);
    }
    if (polled[kErrorsAt].revents != 0) {
        drain(m_err, api::kExecStderr);
    }
}

Result<int> Session::run() {
    if (m_setup.kind == SessionKind::Terminal) {
        sendSize(); // it may have changed since exec.open
    }
    while (!over()) {
        pollOnce();
    }
    return *m_result;
}

} // namespace

Result<UniqueFd> catchSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) {
        sigaddset(&set, number);
    }
    ::signal(SIGPIPE, SIG_IGN);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
        return failErrno("cannot block signals");
    }
    UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) {
        return failErrno("cannot catch signals");
    }
    return fd;
}

Result<int> runSession(SessionSetup setup, UniqueFd signals) {
    // Before the first byte of the guest's: a failure here is ours, whatever its code (exitStatusOf).
    const auto ours = [](Status status) {
        if (!status) {
            status.error().code = ErrorCode::Internal;
        }
        return status;
    };
    RawMode raw;
    if (setup.kind == SessionKind::Terminal) {
        CARREL_TRY(ours(raw.enter(setup.input)));
    }
    if (setup.confine) {
        CARREL_TRY(ours(setup.confine()));
    }
    Session session(setup, signals.get());
    auto result = session.run();
    const std::string restore = session.restore();
    if (!restore.empty()) {
        const int terminal = ::isatty(setup.output) != 0 ? setup.output : setup.errors;
        (void)!::write(terminal, restore.data(), restore.size());
    }
    return result;
}

int exitStatusOf(const Error& startError) {
    switch (startError.code) {
    case ErrorCode::NotFound:
        return kExitNotFound;
    case ErrorCode::Refused:
    case ErrorCode::Unsupported:
    case ErrorCode::Io:
        return kExitCannotRun;
    default:
        return kExitOwnFailure;
    }
}

} // namespace carrel::cli
