// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_carrier.h"

#include <algorithm>
#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace carrel::clerk {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = NetMeter::kPiece;

} // namespace

void NetCarrier::start(UniqueFd socket, Bytes early, bool guestEnded, Over over) {
    m_over = std::move(over);
    m_fromGuest = std::move(early);
    m_guestEnded = guestEnded;
    boost::system::error_code error;
    m_socket.assign(socket.get(), error);
    if (!error) {
        (void)socket.release();
        m_socket.non_blocking(true, error);
    }
    if (error) {
        this->over("socket", Ended::Broken);
        return;
    }
    const int yes = 1;
    (void)::setsockopt(m_socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    started();
}

void NetCarrier::guestData(ByteSpan data) {
    m_fromGuest.insert(m_fromGuest.end(), data.begin(), data.end()); // its window bounds what waits
    guestMoved();
}

void NetCarrier::guestEnd() {
    m_guestEnded = true;
    guestMoved();
}

void NetCarrier::over(std::string how, Ended ended) {
    if (!m_closed && m_over) {
        std::exchange(m_over, nullptr)(std::move(how), ended);
    }
}

void NetCarrier::close(Ended ended) {
    m_closed = true;
    m_patience.cancel();
    if (m_meter) {
        m_meter->leave(std::exchange(m_read.place, 0));
        m_meter->leave(std::exchange(m_write.place, 0));
    }
    m_fromGuest = {};
    m_taken = 0;
    if (!m_socket.is_open()) {
        return;
    }
    if (ended == Ended::Broken) { // it is told as that, whoever else has the socket
        const linger now{1, 0};
        (void)::setsockopt(m_socket.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    boost::system::error_code ignored;
    m_socket.close(ignored);
}

void NetCarrier::take(std::size_t bytes) {
    constexpr std::size_t kWorthIt = 64 * 1024;
    if (bytes == 0) {
        return;
    }
    m_taken += bytes;
    m_guest->mux().consumed(m_stream, bytes);
    m_guest->flushSoon();
    if (m_taken == m_fromGuest.size()) {
        m_fromGuest.clear();
        m_taken = 0;
    } else if (m_taken >= kWorthIt) {
        m_fromGuest.erase(m_fromGuest.begin(), m_fromGuest.begin() + static_cast<std::ptrdiff_t>(m_taken));
        m_taken = 0;
    }
}

bool NetCarrier::tellGuest(ByteSpan bytes) {
    const bool told = m_guest->mux().sendBytes(m_stream, bytes).has_value();
    m_guest->flushSoon();
    return told;
}

void NetCarrier::endGuest() {
    m_guest->mux().sendEnd(m_stream);
    m_guest->flushSoon();
}

void NetCarrier::whenReadable(std::function<void()> then) {
    m_socket.async_wait(asio::posix::descriptor_base::wait_read, [this, then = std::move(then)](const boost::system::error_code& ec) {
        if (!ec && !m_closed) {
            whenDue(m_read, then);
        }
    });
}

void NetCarrier::whenWritable(std::function<void()> then) {
    m_socket.async_wait(asio::posix::descriptor_base::wait_write, [this, then = std::move(then)](const boost::system::error_code& ec) {
        if (!ec && !m_closed) {
            whenDue(m_write, then);
        }
    });
}

// Only now, so that nobody has a turn who can do nothing with it.
void NetCarrier::whenDue(Turn& turn, const std::function<void()>& then) {
    turn.most = m_meter ? m_meter->now(kPiece) : kPiece;
    if (turn.most > 0) {
        then();
        turn.most = 0;
        return;
    }
    turn.place = m_meter->wait([&turn, then](std::size_t most) {
        turn = {0, most};
        then();
        turn.most = 0;
    });
}

std::optional<std::size_t> NetCarrier::write(ByteSpan bytes) {
    const auto most = !m_meter ? bytes.size() : std::min(bytes.size(), std::max(m_write.most, m_meter->now(bytes.size())));
    std::size_t put = 0;
    while (put < most) {
        const auto some = ::send(m_socket.native_handle(), bytes.data() + put, most - put, MSG_NOSIGNAL);
        if (some >= 0) {
            put += static_cast<std::size_t>(some);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return std::nullopt;
        }
    }
    m_sent += put;
    if (m_meter) {
        m_meter->moved(put);
        m_write.most -= std::min(m_write.most, put);
    }
    return put;
}

NetCarrier::Read NetCarrier::read() {
    std::array<std::byte, kPiece> buffer;
    const auto got = ::recv(m_socket.native_handle(), buffer.data(), std::min(buffer.size(), m_read.most), 0);
    if (got < 0) {
        return {errno == EAGAIN || errno == EINTR ? Read::What::Nothing : Read::What::Broken};
    }
    if (got == 0) {
        return {Read::What::End};
    }
    m_received += static_cast<std::uint64_t>(got);
    if (m_meter) {
        m_meter->moved(static_cast<std::size_t>(got));
    }
    return {Read::What::Bytes, Bytes(buffer.begin(), buffer.begin() + got)};
}

void NetCarrier::endFarEnd() {
    (void)::shutdown(m_socket.native_handle(), SHUT_WR);
}

} // namespace carrel::clerk
