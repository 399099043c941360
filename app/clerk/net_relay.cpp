// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_relay.h"

#include "app/clerk/net_refusal.h"

namespace carrel::clerk {

namespace asio = boost::asio;

namespace {

constexpr std::uint16_t kHttpPort = 80;
// errno values, Linux numbering (frame.h).
constexpr std::uint32_t kProtocolError = 71;
constexpr std::uint32_t kAborted = 103;

} // namespace

NetRelay::NetRelay(asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Events events)
    : m_patience(loop)
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
    if (m_state == State::Joined) {
        m_carrier->guestData(data);
        return;
    }
    m_fromGuest.insert(m_fromGuest.end(), data.begin(), data.end());
    switch (m_state) {
    case State::Head:
        takeHead();
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
        m_carrier->guestEnd();
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
        m_carrier->guestWritable();
    }
}

void NetRelay::connected(UniqueFd socket, std::shared_ptr<NetCarrier> carrier) {
    if (m_state != State::Asking) {
        return;
    }
    m_carrier = std::move(carrier);
    m_state = State::Joined;
    send({net::Outcome::Open, {}});
    m_carrier->start(std::move(socket), std::exchange(m_fromGuest, {}), m_guestEnded, [self = weak_from_this()](std::string how, NetCarrier::Ended ended) {
        if (const auto relay = self.lock()) {
            relay->carried(std::move(how), ended);
        }
    });
}

void NetRelay::carried(std::string how, NetCarrier::Ended ended) {
    if (ended == NetCarrier::Ended::Broken) {
        breakOff(std::move(how), kAborted);
    } else {
        finish(std::move(how), ended);
    }
}

void NetRelay::cannotBeCarried(std::string how) {
    if (m_state == State::Asking) {
        breakOff(std::move(how), kAborted);
    }
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

void NetRelay::drop(std::size_t bytes) {
    m_guest->mux().consumed(m_stream, bytes);
    m_guest->flushSoon();
    m_fromGuest.erase(m_fromGuest.begin(), m_fromGuest.begin() + static_cast<std::ptrdiff_t>(bytes));
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
        auto speaks = m_opening.port == kHttpPort ? speaksHttp(m_fromGuest) : Speaks::Else;
        if (speaks == Speaks::More) {
            if (!m_guestEnded) {
                startPatience(kRefusalPatience, "refused");
                return;
            }
            speaks = Speaks::Else;
        }
        send(m_refusal);
        if (speaks == Speaks::Http) {
            (void)m_guest->mux().sendBytes(m_stream, httpRefusal(m_opening, m_refusal)).has_value();
        }
        m_how = "refused";
    }
    m_answered = true;
    drop(m_fromGuest.size());
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

void NetRelay::breakOff(std::string how, std::uint32_t reason) {
    if (m_state == State::Over) {
        return;
    }
    m_guest->mux().sendReset(m_stream, reason);
    m_guest->flushSoon();
    finish(std::move(how));
}

void NetRelay::finish(std::string how, NetCarrier::Ended ended) {
    if (m_state == State::Over) {
        return;
    }
    if (m_carrier) {
        m_carrier->close(ended);
    }
    m_patience.cancel();
    m_how = std::move(how);
    m_state = State::Over;
    m_fromGuest = {};
    m_events.over(*this);
}

} // namespace carrel::clerk
