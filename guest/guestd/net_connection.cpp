// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/net_connection.h"

#include <arpa/inet.h>
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

NetConnection::NetConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket)
    : m_channel(channel)
    , m_epoch(epoch)
    , m_stream(stream)
    , m_socket(std::move(socket)) {}

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
    if (m_toSocket.empty()) {
        m_toSocket = std::move(data);
    } else {
        m_toSocket.insert(m_toSocket.end(), data.begin(), data.end());
    }
    if (m_joined) {
        writeSome();
    } else {
        headData();
    }
}

void NetConnection::drop(std::size_t bytes) {
    m_channel.consumed(m_epoch, m_stream, bytes);
    m_toSocket.erase(m_toSocket.begin(), m_toSocket.begin() + static_cast<std::ptrdiff_t>(bytes));
}

void NetConnection::join() {
    const int yes = 1;
    (void)::setsockopt(m_socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    m_joined = true;
    writeSome();
}

void NetConnection::hostEnd() {
    m_hostEnded = true;
    if (m_joined) {
        writeSome();
    } else if (!m_over) {
        headEnd();
    }
}

void NetConnection::letGo() {
    if (!m_over) {
        m_over = true;
        resetSocket(std::move(m_socket));
    }
}

void NetConnection::ready(std::uint32_t events) {
    const std::uint32_t asked = wanted();
    // An error or a hang-up shows itself to whichever of the two is wanted.
    const bool both = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if ((asked & EPOLLOUT) != 0 && (both || (events & EPOLLOUT) != 0)) {
        if (!m_joined) {
            socketWritable();
            return;
        }
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
    const auto now = m_joined ? Before::Reading : before();
    if (now != Before::Reading) {
        return now == Before::Connecting ? std::uint32_t{EPOLLOUT} : 0U;
    }
    return (m_reading && !m_socketEnded ? std::uint32_t{EPOLLIN} : 0U) |
           (m_joined && m_written < m_toSocket.size() ? std::uint32_t{EPOLLOUT} : 0U);
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
        m_socketEnded = true;
        m_channel.sendEnd(m_epoch, m_stream);
        finishIfDone();
        return;
    }
    if (!m_channel.sendBytes(m_epoch, m_stream, {buffer.data(), static_cast<std::size_t>(got)})) {
        breakOff(ECONNABORTED);
        return;
    }
    // What is queued now is told of by hostWritable() once it has gone.
    m_reading = m_channel.queued(m_epoch, m_stream).value_or(0) < kMostQueued || !m_channel.tellWhenWritable(m_epoch, m_stream);
}

void NetConnection::writeSome() {
    while (m_written < m_toSocket.size()) {
        const ssize_t put = ::send(m_socket.get(), m_toSocket.data() + m_written, m_toSocket.size() - m_written, MSG_NOSIGNAL);
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
    m_toSocket.clear();
    m_written = 0;
    if (m_hostEnded && !m_told) {
        m_told = true;
        (void)::shutdown(m_socket.get(), SHUT_WR);
        finishIfDone();
    }
}

void NetConnection::breakOff(std::uint32_t reason) {
    if (!m_over) {
        m_channel.sendReset(m_epoch, m_stream, reason);
        letGo();
    }
}

void NetConnection::finishIfDone() {
    if (m_socketEnded && m_told) {
        m_over = true;
        m_socket.reset();
    }
}

ProgramConnection::ProgramConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket,
                                     const net::Opening& opening, Refused refused)
    : NetConnection(channel, epoch, stream, std::move(socket))
    , m_refused(std::move(refused)) {
    if (m_channel.openStream(m_epoch, m_stream, StreamKind::Bytes) == Channel::Sent::Gone ||
        !m_channel.sendBytes(m_epoch, m_stream, toWire(opening))) {
        breakOff(ECONNREFUSED);
    }
}

void ProgramConnection::headData() {
    while (!m_isRefused) {
        const auto answer = net::answerFrom(come());
        if (!answer) {
            breakOff(EPROTO);
            return;
        }
        if (!*answer) {
            return;
        }
        const auto& [head, size] = **answer;
        drop(size);
        if (head.outcome == net::Outcome::Open) {
            join();
            return;
        }
        if (head.outcome != net::Outcome::Waiting) {
            m_isRefused = true;
            m_refused(head);
        } else if (++m_notes > net::kMaxNotes) {
            breakOff(EPROTO);
            return;
        }
    }
    if (!come().empty()) {
        join();
    }
}

void ProgramConnection::headEnd() {
    breakOff(ECONNREFUSED);
}

namespace {

UniqueFd beginToConnect(int family, std::uint16_t port) {
    UniqueFd out(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int tries = 3; // of a server that takes no more for now: some seconds, and whoever asked waits no longer
    (void)::setsockopt(out.get(), IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof tries);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    const bool is6 = family == AF_INET6;
    const auto* const name = is6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
    if (::connect(out.get(), name, is6 ? sizeof v6 : sizeof v4) != 0 && errno != EINPROGRESS) {
        out.reset();
    }
    return out;
}

constexpr std::array kPlaces{AF_INET, AF_INET6};

} // namespace

ServerConnection::ServerConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream)
    : NetConnection(channel, epoch, stream, {}) {}

void ServerConnection::headData() {
    if (m_port != 0) {
        return; // for the server, once it is there
    }
    const auto head = net::inwardFrom(come());
    if (!head) {
        breakOff(EPROTO);
    } else if (*head) {
        m_port = (*head)->head.port;
        drop((*head)->bytes);
        connectFrom(0);
    }
}

void ServerConnection::headEnd() {
    if (m_port == 0) {
        breakOff(EPROTO);
    }
}

void ServerConnection::connectFrom(std::size_t place) {
    for (m_place = place; m_place < kPlaces.size(); ++m_place) {
        setSocket(beginToConnect(kPlaces[m_place], m_port));
        if (socket() >= 0) {
            return; // epoll tells what becomes of it
        }
    }
    refuseInward(m_channel, m_epoch, m_stream, net::Outcome::Refused);
    letGo();
}

void ServerConnection::socketWritable() {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        connectFrom(m_place + 1);
    } else if (m_channel.sendBytes(m_epoch, m_stream, net::toWire(net::Answer{net::Outcome::Open, {}}))) {
        join();
    } else {
        breakOff(ECONNABORTED);
    }
}

void refuseInward(Channel& channel, EpochNumber epoch, std::uint32_t stream, net::Outcome outcome) {
    (void)channel.sendBytes(epoch, stream, net::toWire(net::Answer{outcome, {}})).has_value();
    channel.sendEnd(epoch, stream);
}

} // namespace carrel::guestd
