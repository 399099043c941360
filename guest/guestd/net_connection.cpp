// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/net_connection.h"

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace carrel::guestd {

namespace {
// So much waits for the wire before the program has to: half a window, so that the other half is on its way.
constexpr std::size_t kMostQueued = kInitialWindow / 2;
constexpr std::size_t kPiece = 64 * 1024;
} // namespace

void resetSocket(UniqueFd socket) {
    const linger now{1, 0};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

NetConnection::NetConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket,
                             const net::Opening& opening)
    : m_channel(channel)
    , m_epoch(epoch)
    , m_stream(stream)
    , m_socket(std::move(socket)) {
    const int yes = 1;
    (void)::setsockopt(m_socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (m_channel.openStream(m_epoch, m_stream, StreamKind::Bytes) == Channel::Sent::Gone ||
        !m_channel.sendBytes(m_epoch, m_stream, toWire(opening))) {
        breakOff(ECONNREFUSED);
    }
}

NetConnection::~NetConnection() {
    if (!m_over) {
        breakOff(ECONNABORTED);
    }
}

void NetConnection::hostData(Bytes&& data) {
    if (m_over || m_hostEnded) {
        m_channel.consumed(m_epoch, m_stream, data.size());
        return;
    }
    if (m_toProgram.empty()) {
        m_toProgram = std::move(data);
    } else {
        m_toProgram.insert(m_toProgram.end(), data.begin(), data.end());
    }
    if (takeAnswer()) {
        writeSome();
    }
}

// True when the host has said that the connection stands.
bool NetConnection::takeAnswer() {
    while (!m_isOpen) {
        const auto answer = net::answerFrom(m_toProgram);
        if (!answer) {
            breakOff(EPROTO);
            return false;
        }
        if (!*answer) {
            return false;
        }
        const auto& [head, size] = **answer;
        m_channel.consumed(m_epoch, m_stream, size);
        m_toProgram.erase(m_toProgram.begin(), m_toProgram.begin() + static_cast<std::ptrdiff_t>(size));
        if (head.outcome == net::Outcome::Open) {
            m_isOpen = true;
        } else if (head.outcome != net::Outcome::Waiting || ++m_notes > net::kMaxNotes) {
            breakOff(ECONNREFUSED);
            return false;
        }
    }
    return true;
}

void NetConnection::hostEnd() {
    m_hostEnded = true;
    if (!m_isOpen) {
        breakOff(ECONNREFUSED);
    } else {
        writeSome();
    }
}

void NetConnection::hostReset() {
    if (!m_over) {
        m_over = true; // the stream is gone: nothing to tell the host
        resetSocket(std::move(m_socket));
    }
}

void NetConnection::hostWritable() {
    m_reading = true;
}

void NetConnection::ready(std::uint32_t events) {
    const std::uint32_t asked = wanted();
    // An error or a hang-up shows itself to whichever of the two is wanted.
    const bool both = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if ((asked & EPOLLOUT) != 0 && (both || (events & EPOLLOUT) != 0)) {
        writeSome();
    }
    if (!m_over && (asked & EPOLLIN) != 0 && (both || (events & EPOLLIN) != 0)) {
        readSome();
    }
}

std::uint32_t NetConnection::wanted() const {
    if (m_over) {
        return 0;
    }
    return (m_reading && !m_programEnded ? std::uint32_t{EPOLLIN} : 0U) |
           (m_isOpen && m_written < m_toProgram.size() ? std::uint32_t{EPOLLOUT} : 0U);
}

void NetConnection::readSome() {
    std::array<std::byte, kPiece> buffer;
    const ssize_t got = ::recv(m_socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            breakOff(static_cast<std::uint32_t>(errno));
        }
        return;
    }
    if (got == 0) {
        m_programEnded = true;
        m_channel.sendEnd(m_epoch, m_stream);
        finishIfDone();
        return;
    }
    if (!m_channel.sendBytes(m_epoch, m_stream, {buffer.data(), static_cast<std::size_t>(got)})) {
        breakOff(ECONNABORTED);
        return;
    }
    // What is queued now is told of by hostWritable() once it has gone.
    m_reading = m_channel.queued(m_epoch, m_stream).value_or(0) < kMostQueued;
}

void NetConnection::writeSome() {
    while (m_written < m_toProgram.size()) {
        const ssize_t put = ::send(m_socket.get(), m_toProgram.data() + m_written, m_toProgram.size() - m_written, MSG_NOSIGNAL);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN) {
                breakOff(static_cast<std::uint32_t>(errno));
            }
            return;
        }
        m_written += static_cast<std::size_t>(put);
        m_channel.consumed(m_epoch, m_stream, static_cast<std::size_t>(put));
    }
    m_toProgram.clear();
    m_written = 0;
    if (m_hostEnded && !m_told) {
        m_told = true;
        (void)::shutdown(m_socket.get(), SHUT_WR);
        finishIfDone();
    }
}

void NetConnection::breakOff(std::uint32_t reason) {
    if (!m_over) {
        m_over = true;
        m_channel.sendReset(m_epoch, m_stream, reason);
        resetSocket(std::move(m_socket));
    }
}

void NetConnection::finishIfDone() {
    if (m_programEnded && m_told) {
        m_over = true;
        m_socket.reset();
    }
}

} // namespace carrel::guestd
