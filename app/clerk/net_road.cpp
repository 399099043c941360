// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_road.h"

#include <array>

namespace carrel::clerk {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = 64 * 1024;

void dropFront(Bytes& bytes, std::size_t count) {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

// As link.h has it (net.closed).
std::string howOf(const std::string& road, const std::string& fault) {
    if (road == "refused") {
        return fault.empty() ? "refused" : fault;
    }
    constexpr std::array kWords{"ended", "guest", "far end", "timed out", "idle", "cut", "canary"};
    const bool known = std::find(kWords.begin(), kWords.end(), road) != kWords.end();
    return known ? road : fault.empty() ? "http" : fault;
}

} // namespace

NetRoad::NetRoad(asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Ends ends, relay::HttpRoad::Settings settings,
                 Asks asks, Finds finds)
    : NetCarrier(loop, stream, std::move(guest))
    , m_road(std::move(ends.guest), std::move(ends.farEnd), std::move(settings),
             {relay::HttpRoad::Clock::now, std::move(asks), [this](std::uint64_t, const relay::Refusal& refusal) { refused(refusal); },
              [this, finds = std::move(finds)](std::uint64_t request, const relay::CanaryFound& found) {
                  m_foundCanary = true;
                  finds(request, found);
              }}) {}

void NetRoad::refused(const relay::Refusal& refusal) {
    // Of the words of the road's own; what the engine said no to is not told to it again.
    struct Fault {
        std::string_view outcome, how;
    };
    static constexpr std::array kFaults{Fault{"unreachable", "host tls"}, Fault{"bad-answer", "answer"}, Fault{"bad-request", "http"},
                                        Fault{"timed-out", "timed out"}, Fault{"packed", "packed"}};
    const auto* const found = std::find_if(kFaults.begin(), kFaults.end(), [&](const Fault& each) { return each.outcome == refusal.outcome; });
    m_fault = found == kFaults.end() ? "refused" : found->how;
}

void NetRoad::started() {
    move();
}

void NetRoad::guestMoved() {
    move();
}

void NetRoad::guestWritable() {
    move();
}

void NetRoad::answer(std::uint64_t request, relay::RequestAnswer answer) {
    m_road.answer(request, std::move(answer));
    move();
}

void NetRoad::setPlaceholders(relay::HttpRoad::Placeholders placeholders) {
    m_road.setPlaceholders(std::move(placeholders));
}

void NetRoad::setCanaries(relay::HttpRoad::Canaries canaries) {
    m_road.setCanaries(std::move(canaries));
}

void NetRoad::move() {
    if (m_moving) { // an answer from within a question
        m_again = true;
        return;
    }
    m_moving = true;
    for (bool moved = true; moved && !isClosed();) {
        m_again = false;
        moved = moveFromGuest();
        moved = moveFromFarEnd() || moved;
        moved = moveToFarEnd() || moved;
        moved = moveToGuest() || moved || m_again;
    }
    m_moving = false;
    if (isClosed()) {
        return;
    }
    if (m_foundCanary) {
        over(m_road.how(), Ended::Broken); // at once, whoever still reads
        return;
    }
    if (m_road.isOver()) {
        lastWords();
        return;
    }
    waitReadable();
    keepTime();
}

bool NetRoad::moveFromGuest() {
    const auto took = waiting() == 0 ? 0 : m_road.fromGuest(fromGuest());
    take(took);
    if (m_guestEnded && waiting() == 0 && !m_toldGuestEnd) {
        m_toldGuestEnd = true;
        m_road.guestEnded();
        return true;
    }
    return took > 0;
}

bool NetRoad::moveFromFarEnd() {
    const auto took = m_fromFarEnd.empty() ? 0 : m_road.fromHost(m_fromFarEnd);
    dropFront(m_fromFarEnd, took);
    return took > 0;
}

bool NetRoad::moveToFarEnd() {
    bool moved = false;
    while (!m_writing && !isClosed()) {
        if (m_toFarEnd.empty()) {
            m_toFarEnd = m_road.takeForHost(kPiece);
        }
        if (m_toFarEnd.empty()) {
            break;
        }
        const auto put = write(m_toFarEnd);
        if (!put) {
            over("far end", Ended::Broken);
            return false;
        }
        dropFront(m_toFarEnd, *put);
        moved = moved || *put > 0;
        if (!m_toFarEnd.empty()) {
            waitWritable();
        }
    }
    if (m_toFarEnd.empty() && m_road.isHostOutputOver() && !m_road.isBroken() && !m_toldFarEnd && !isClosed()) {
        m_toldFarEnd = true;
        endFarEnd();
    }
    return moved;
}

bool NetRoad::moveToGuest() {
    bool moved = false;
    while (m_guest->mux().queued(m_stream) < kMostQueued) {
        const auto some = m_road.takeForGuest(kPiece);
        if (some.empty()) {
            break;
        }
        if (!tellGuest(some)) {
            over("guest", Ended::Broken);
            return false;
        }
        moved = true;
    }
    if (m_road.isGuestOutputOver() && !m_road.isBroken() && !m_toldGuestOver) {
        m_toldGuestOver = true;
        endGuest();
    }
    return moved;
}

// What the road has left is on its way: the program may read it, within reason, before its connection goes.
void NetRoad::lastWords() {
    const bool left = m_guest->mux().queued(m_stream) > 0 || !m_road.isGuestOutputOver() || (!m_road.isBroken() && !m_guestEnded);
    const auto how = howOf(m_road.how(), m_fault);
    const auto ended = m_road.isBroken() ? Ended::Broken : Ended::Whole;
    if (!left) {
        over(how, ended);
        return;
    }
    take(waiting()); // nobody reads it any more
    if (std::exchange(m_lastWords, true)) {
        return;
    }
    m_patience.expires_after(kLastWordPatience);
    m_patience.async_wait([self = weak_from_this(), how, ended](const boost::system::error_code& ec) {
        if (const auto road = self.lock(); road && !ec) {
            road->over(how, ended);
        }
    });
}

void NetRoad::keepTime() {
    const auto due = m_road.deadline();
    if (!due || (m_timer && *m_timer <= *due)) { // one that comes early looks again
        return;
    }
    m_timer = due;
    m_patience.expires_at(*due);
    m_patience.async_wait([self = weak_from_this()](const boost::system::error_code& ec) {
        const auto road = self.lock();
        if (ec || !road || road->isClosed()) {
            return;
        }
        road->m_timer.reset();
        road->m_road.tick();
        road->move();
    });
}

void NetRoad::waitWritable() {
    m_writing = true;
    m_socket.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const boost::system::error_code& ec) {
        self->m_writing = false;
        if (!ec && !self->isClosed()) {
            self->move();
        }
    });
}

void NetRoad::waitReadable() {
    if (m_reading || m_farEndEnded || !m_fromFarEnd.empty()) {
        return;
    }
    m_reading = true;
    m_socket.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const boost::system::error_code& ec) {
        self->m_reading = false;
        if (ec || self->isClosed()) {
            return;
        }
        auto got = self->read();
        switch (got.what) {
        case Read::What::Broken:
            self->over("far end", Ended::Broken);
            return;
        case Read::What::End:
            self->m_farEndEnded = true;
            self->m_road.hostEnded();
            break;
        case Read::What::Bytes:
            self->m_fromFarEnd = std::move(got.bytes);
            break;
        case Read::What::Nothing:
            break;
        }
        self->move();
    });
}

} // namespace carrel::clerk
