// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_relay.h"

#include "app/clerk/net_refusal.h"

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace carrel::clerk {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostQueued = 192 * 1024; // towards the guest, before the far end has to wait
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::uint16_t kHttpPort = 80;
// errno values, Linux numbering (frame.h).
constexpr std::uint32_t kProtocolError = 71;
constexpr std::uint32_t kAborted = 103;
constexpr std::uint32_t kReset = 104;

} // namespace

NetRelay::NetRelay(asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Events events)
    : m_socket(loop)
    , m_patience(loop)
    , m_guest(std::move(guest))
    , m_events(std::move(events))
    , m_stream(stream) {}

std::chrono::milliseconds NetRelay::age() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - m_since);
}

void NetRelay::guestData(ByteSpan data) {
    if (m_state == State::Over || (m_state == State::Refusing && m_answered)) {
        m_guest->mux().consumed(m_stream, data.size());
        m_guest->flushSoon();
        return;
    }
    m_fromGuest.insert(m_fromGuest.end(), data.begin(), data.end());
    switch (m_state) {
    case State::Head:
        takeHead();
        break;
    case State::Joined:
        passOn();
        break;
    case State::Refusing:
        answerRefusal();
        break;
    default:
        break; // the window bounds what waits
    }
}

void NetRelay::takeHead() {
    const auto taken = net::openingFrom(m_fromGuest);
    if (!taken) {
        breakOff("guest", kProtocolError);
        return;
    }
    if (!*taken) {
        return;
    }
    m_opening = (*taken)->head;
    drop((*taken)->bytes);
    m_state = State::Asking;
    m_events.opening(*this);
}

void NetRelay::guestEnd() {
    m_guestEnded = true;
    switch (m_state) {
    case State::Head:
        breakOff("guest", kProtocolError);
        break;
    case State::Joined:
        passOn();
        break;
    case State::Refusing:
        if (m_answered) {
            finish(m_how);
        } else {
            answerRefusal();
        }
        break;
    default:
        break;
    }
}

void NetRelay::guestReset() {
    finish(m_how.empty() ? "guest" : m_how); // the stream is gone
}

void NetRelay::guestGone() {
    finish("channel");
}

void NetRelay::guestWritable() {
    if (m_state == State::Joined) {
        waitReadable();
    }
}

void NetRelay::connected(UniqueFd socket, Treat treat) {
    if (m_state != State::Asking) {
        return;
    }
    boost::system::error_code error;
    m_socket.assign(socket.get(), error);
    if (!error) {
        (void)socket.release();
        m_socket.non_blocking(true, error);
    }
    if (error) {
        breakOff("socket", kAborted);
        return;
    }
    const int yes = 1;
    (void)::setsockopt(m_socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    m_gate = makeGate(treat, net::textOf(m_opening.host), m_opening.port);
    m_state = State::Joined;
    send({net::Outcome::Open, {}});
    if (treat != Treat::Raw) {
        startPatience(kHelloPatience, std::string(m_gate->name()));
    }
    waitReadable();
    passOn();
}

void NetRelay::note(const std::string& text) {
    if (m_state == State::Asking && m_notes < net::kMaxNotes) {
        ++m_notes;
        send({net::Outcome::Waiting, text});
    }
}

void NetRelay::send(const net::Answer& answer) {
    (void)m_guest->mux().sendBytes(m_stream, toWire(answer)).has_value(); // bounded far below maxQueued
    m_guest->flushSoon();
}

void NetRelay::passOn() {
    for (std::size_t passed = 1; passed > 0;) { // until it holds what is left, or will have none of it
        const auto verdict = m_gate->look(ByteSpan(m_fromGuest).subspan(m_passed));
        if (!verdict.good) {
            gateSaysNo(verdict.why);
            return;
        }
        passed = verdict.pass;
        if (passed > 0) {
            m_passed += passed;
            m_patience.cancel();
        }
    }
    if (!m_writing) {
        writeSome();
    }
}

void NetRelay::writeSome() {
    std::size_t given = 0;
    while (m_state == State::Joined && m_taken < m_passed) {
        const auto put = ::send(m_socket.native_handle(), m_fromGuest.data() + m_taken, m_passed - m_taken, MSG_NOSIGNAL);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                waitWritable();
                break;
            }
            breakOff("far end", kReset);
            return;
        }
        m_sent += static_cast<std::uint64_t>(put);
        m_taken += static_cast<std::size_t>(put);
        given += static_cast<std::size_t>(put);
    }
    drop(0);
    if (given > 0) {
        m_guest->mux().consumed(m_stream, given);
        m_guest->flushSoon();
    }
    if (m_state != State::Joined || !m_guestEnded || m_toldFarEnd) {
        return;
    }
    if (waiting() == 0) {
        m_toldFarEnd = true;
        (void)::shutdown(m_socket.native_handle(), SHUT_WR);
        endIfDone();
    } else if (m_passed == m_taken && (m_farEndEnded || !m_gate->waitsForServer())) {
        gateSaysNo("the connection ended before it had said who it is for");
    }
}

// Gives `bytes` more back unread, and lets go of what is done with once that is worth a move.
void NetRelay::drop(std::size_t bytes) {
    constexpr std::size_t kWorthIt = 64 * 1024;
    if (bytes > 0) {
        m_taken += bytes;
        m_passed = std::max(m_passed, m_taken);
        m_guest->mux().consumed(m_stream, bytes);
        m_guest->flushSoon();
    }
    if (m_taken == m_fromGuest.size()) {
        m_fromGuest.clear();
    } else if (m_taken >= kWorthIt) {
        m_fromGuest.erase(m_fromGuest.begin(), m_fromGuest.begin() + static_cast<std::ptrdiff_t>(m_taken));
    } else {
        return;
    }
    m_passed -= m_taken;
    m_taken = 0;
}

void NetRelay::waitWritable() {
    m_writing = true;
    m_socket.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const boost::system::error_code& ec) {
        self->m_writing = false;
        if (!ec && self->m_state == State::Joined) {
            self->writeSome();
        }
    });
}

void NetRelay::waitReadable() {
    if (m_reading || m_farEndEnded || m_state != State::Joined || m_guest->mux().queued(m_stream) >= kMostQueued) {
        return; // the last: `writable` brings us back
    }
    m_reading = true;
    m_socket.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const boost::system::error_code& ec) {
        self->m_reading = false;
        if (!ec && self->m_state == State::Joined) {
            self->readSome();
        }
    });
}

void NetRelay::readSome() {
    std::array<std::byte, kPiece> buffer;
    const auto got = ::recv(m_socket.native_handle(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
        breakOff("far end", kReset);
        return;
    }
    if (got == 0) {
        m_farEndEnded = true;
        m_guest->mux().sendEnd(m_stream);
        m_guest->flushSoon();
        if (!m_writing) {
            writeSome(); // what was held for a word of the server's has nobody to wait for any more
        }
        endIfDone();
        return;
    }
    if (got > 0) {
        const ByteSpan bytes(buffer.data(), static_cast<std::size_t>(got));
        m_received += bytes.size();
        if (!m_guest->mux().sendBytes(m_stream, bytes)) {
            breakOff("guest", kAborted);
            return;
        }
        m_guest->flushSoon();
        m_gate->serverSaid(bytes);
        if (waiting() > m_passed - m_taken) {
            passOn(); // what was held may go on now
        }
    }
    waitReadable();
}

void NetRelay::gateSaysNo(const std::string& why) {
    const std::string how(m_gate->name());
    if (m_received > 0 || m_farEndEnded || !m_gate->speaksHttp()) {
        breakOff(how, kAborted);
        return;
    }
    // The far end was asked nothing, and the program waits for an answer to its first request.
    boost::system::error_code ignored;
    m_socket.close(ignored);
    m_how = how;
    const auto response = httpRefusal(m_opening, {net::Outcome::Denied, why});
    (void)m_guest->mux().sendBytes(m_stream, response).has_value();
    m_state = State::Refusing;
    answerRefusal();
}

void NetRelay::refuse(net::Outcome outcome, const std::string& text) {
    if (m_state != State::Asking) {
        return;
    }
    m_refused = true;
    m_state = State::Refusing;
    m_refusal = {outcome, text};
    answerRefusal();
}

// In HTTP once a request is there, else by the head. Then the program's end is waited for: a reset would take the answer
// away from it.
void NetRelay::answerRefusal() {
    if (m_how.empty()) {
        auto speaks = m_opening.port == kHttpPort ? speaksHttp(ByteSpan(m_fromGuest).subspan(m_taken)) : Speaks::Else;
        if (speaks == Speaks::More) {
            if (!m_guestEnded) {
                startPatience(kRefusalPatience, "refused");
                return;
            }
            speaks = Speaks::Else;
        }
        if (speaks == Speaks::Http) {
            send({net::Outcome::Open, {}});
            (void)m_guest->mux().sendBytes(m_stream, httpRefusal(m_opening, m_refusal)).has_value();
        } else {
            send(m_refusal);
        }
        m_how = "refused";
    }
    m_answered = true;
    drop(waiting());
    m_guest->mux().sendEnd(m_stream);
    m_guest->flushSoon();
    if (m_guestEnded) {
        finish(m_how);
    } else {
        startPatience(kRefusalPatience, m_how);
    }
}

void NetRelay::cut() {
    if (m_state != State::Over) {
        breakOff("cut", kAborted);
    }
}

void NetRelay::startPatience(std::chrono::seconds most, std::string how) {
    m_patience.expires_after(most);
    m_patience.async_wait([self = weak_from_this(), how = std::move(how)](const boost::system::error_code& ec) {
        const auto relay = self.lock();
        if (!ec && relay && relay->m_state != State::Over) {
            relay->breakOff(how, kAborted);
        }
    });
}

void NetRelay::endIfDone() {
    if (m_toldFarEnd && m_farEndEnded) {
        finish("ended");
    }
}

void NetRelay::breakOff(std::string how, std::uint32_t reason) {
    if (m_state == State::Over) {
        return;
    }
    m_guest->mux().sendReset(m_stream, reason);
    m_guest->flushSoon();
    finish(std::move(how));
}

void NetRelay::finish(std::string how) {
    if (m_state == State::Over) {
        return;
    }
    if (m_socket.is_open()) {
        if (how != "ended") { // a break is told as one, whoever else has the socket
            const linger now{1, 0};
            (void)::setsockopt(m_socket.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        boost::system::error_code ignored;
        m_socket.close(ignored);
    }
    m_patience.cancel();
    m_how = std::move(how);
    m_state = State::Over;
    m_fromGuest = {};
    m_events.over(*this);
}

} // namespace carrel::clerk
