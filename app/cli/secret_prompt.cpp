// SPDX-License-Identifier: Apache-2.0
#include "app/cli/secret_prompt.h"

#include <termios.h>
#include <unistd.h>

namespace carrel::cli {
namespace {

constexpr char kInterrupt = 3, kEnd = 4, kErase = 127, kBackspace = 8, kKill = 21;

tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::Cancelled, "nothing was given", "All is as before.");
}

// Byte by byte and without signals, so that there is no way out that leaves the terminal silent.
class Silence {
public:
    explicit Silence(int terminal)
        : m_terminal(terminal) {
        if (::tcgetattr(terminal, &m_before) == 0) {
            termios silent = m_before;
            silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG);
            silent.c_cc[VMIN] = 1;
            silent.c_cc[VTIME] = 0;
            m_good = ::tcsetattr(terminal, TCSAFLUSH, &silent) == 0; // what was typed before is not the secret
        }
    }
    ~Silence() {
        if (m_good) {
            (void)::tcsetattr(m_terminal, TCSAFLUSH, &m_before);
        }
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;
    [[nodiscard]] bool good() const { return m_good; }

private:
    int m_terminal;
    termios m_before{};
    bool m_good = false;
};

void say(int terminal, std::string_view text) {
    (void)!::write(terminal, text.data(), text.size());
}

} // namespace

bool TypedSecret::isAsked() {
    return ::isatty(STDIN_FILENO) == 1;
}

Status TypedSecret::read(const std::string& question) {
    return isAsked() ? readLine(STDIN_FILENO, question) : readAll();
}

Status TypedSecret::readLine(int terminal, const std::string& question) {
    const Silence silence(terminal);
    if (!silence.good()) {
        return fail(ErrorCode::Unavailable, "this terminal cannot be kept from showing what is typed", "Give it on standard input.");
    }
    say(terminal, question + ": ");
    for (;;) {
        char c = 0;
        const auto got = ::read(terminal, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || c == kInterrupt || (c == kEnd && m_bytes.empty())) {
            say(terminal, "\r\n");
            return cancelled();
        }
        if (c == '\r' || c == '\n' || c == kEnd) {
            say(terminal, "\r\n");
            return m_bytes.empty() ? Status(cancelled()) : Status();
        }
        if (c == kErase || c == kBackspace) {
            m_bytes.resize(m_bytes.size() - (m_bytes.empty() ? 0 : 1));
        } else if (c == kKill) {
            m_bytes.resize(0);
        } else if (m_bytes.size() < m_bytes.capacity()) {
            m_bytes.data()[m_bytes.size()] = c;
            m_bytes.resize(m_bytes.size() + 1);
        }
    }
}

Status TypedSecret::readAll() {
    while (m_bytes.size() < m_bytes.capacity()) {
        const auto got = ::read(STDIN_FILENO, m_bytes.data() + m_bytes.size(), m_bytes.capacity() - m_bytes.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading standard input");
        }
        if (got == 0) {
            break;
        }
        m_bytes.resize(m_bytes.size() + static_cast<std::size_t>(got));
    }
    return m_bytes.empty() ? Status(cancelled()) : Status();
}

Result<std::uint64_t> TypedSecret::hand(Context& context) const {
    const auto opened = context.call("secret.open", {});
    if (!opened) {
        return fail(opened.error());
    }
    const auto socket = context.takeDescriptor();
    if (socket) {
        CARREL_TRY(api::writeSecret(socket, m_bytes));
    }
    const auto number = numberAt(*opened, "secret");
    return socket && number != 0 ? Result<std::uint64_t>(number) : fail(ErrorCode::Malformed, "the engine's answer came without a way for a secret");
}

} // namespace carrel::cli
