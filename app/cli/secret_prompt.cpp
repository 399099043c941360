// SPDX-License-Identifier: Apache-2.0
#include "app/cli/secret_prompt.h"

#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
    (void)::prctl(PR_SET_DUMPABLE, 0); // invariant I6: no core file
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
        if (got <= 0 || c == kInterrupt || (c == kEnd && m_size == 0)) {
            say(terminal, "\r\n");
            return cancelled();
        }
        if (c == '\r' || c == '\n' || c == kEnd) {
            say(terminal, "\r\n");
            return m_size == 0 ? Status(cancelled()) : Status();
        }
        if (c == kErase || c == kBackspace) {
            m_size -= m_size > 0 ? 1 : 0;
        } else if (c == kKill) {
            m_size = 0;
        } else if (m_size < m_bytes.size()) {
            m_bytes.at(m_size++) = c;
        }
    }
}

Status TypedSecret::readAll() {
    while (m_size < m_bytes.size()) {
        const auto got = ::read(STDIN_FILENO, m_bytes.data() + m_size, m_bytes.size() - m_size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading standard input");
        }
        if (got == 0) {
            break;
        }
        m_size += static_cast<std::size_t>(got);
    }
    return m_size == 0 ? Status(cancelled()) : Status();
}

bool TypedSecret::isSameAs(const TypedSecret& other) const {
    return m_size == other.m_size && ::CRYPTO_memcmp(m_bytes.data(), other.m_bytes.data(), m_size) == 0;
}

Result<std::uint64_t> TypedSecret::hand(Context& context) const {
    const auto opened = context.call("secret.open", {});
    if (!opened) {
        return fail(opened.error());
    }
    const auto socket = context.takeDescriptor();
    std::size_t sent = 0;
    while (socket && sent < m_size) {
        const auto put = ::send(socket.get(), m_bytes.data() + sent, m_size - sent, MSG_NOSIGNAL);
        if (put < 0 && errno != EINTR) {
            return failErrno("giving the engine a secret");
        }
        sent += put > 0 ? static_cast<std::size_t>(put) : 0;
    }
    const auto number = numberAt(*opened, "secret");
    return socket && number != 0 ? Result<std::uint64_t>(number) : fail(ErrorCode::Malformed, "the engine's answer came without a way for a secret");
}

} // namespace carrel::cli
