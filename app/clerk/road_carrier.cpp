// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/road_carrier.h"

namespace carrel::clerk {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

void dropFront(Bytes& bytes, std::size_t count) {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

} // namespace

RoadCarrier::RoadCarrier(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Socket socket, Ends ends,
                         relay::HttpRoad::Settings settings, relay::HttpRoad::Events events)
    : NetCarrier(loop, stream, std::move(guest))
    , m_road(std::move(ends.program), std::move(ends.host), std::move(settings), std::move(events))
    , m_socketIs(socket) {}

void RoadCarrier::move() {
    if (m_moving) { // an answer from within a question
        m_again = true;
        return;
    }
    m_moving = true;
    for (bool moved = true; moved && !isClosed();) {
        m_again = false;
        moved = moveFromStream();
        moved = moveFromSocket() || moved;
        moved = moveToSocket() || moved;
        moved = moveToStream() || moved || m_again;
    }
    m_moving = false;
    if (isClosed()) {
        return;
    }
    if (m_road.isOver()) {
        lastWords();
        return;
    }
    waitReadable();
    keepTime();
}

bool RoadCarrier::feedFromStream() {
    const bool isProgram = m_socketIs == Socket::Host;
    const auto took = waiting() == 0 ? 0 : isProgram ? m_road.fromGuest(fromGuest()) : m_road.fromHost(fromGuest());
    take(took);
    if (m_guestEnded && waiting() == 0 && !m_toldRoadOfEnd) {
        m_toldRoadOfEnd = true;
        if (isProgram) {
            m_road.guestEnded();
        } else {
            m_road.hostEnded();
        }
        return true;
    }
    return took > 0;
}

bool RoadCarrier::drainToStream(const char* word) {
    bool moved = false;
    while (m_guest->mux().queued(m_stream) < kMostQueued) {
        const auto some = m_socketIs == Socket::Host ? m_road.takeForGuest(kPiece) : m_road.takeForHost(kPiece);
        if (some.empty()) {
            break;
        }
        if (!tellGuest(some)) {
            over(word, Ended::Broken);
            return false;
        }
        moved = true;
    }
    return moved;
}

bool RoadCarrier::moveFromSocket() {
    const auto took = m_fromSocket.empty()         ? 0
                      : m_socketIs == Socket::Host ? m_road.fromHost(m_fromSocket)
                                                   : m_road.fromGuest(m_fromSocket);
    dropFront(m_fromSocket, took);
    return took > 0;
}

bool RoadCarrier::moveToSocket() {
    bool moved = false;
    while (!m_writing && !isClosed()) {
        if (m_toSocket.empty()) {
            m_toSocket = m_socketIs == Socket::Host ? m_road.takeForHost(kPiece) : m_road.takeForGuest(kPiece);
        }
        if (m_toSocket.empty()) {
            break;
        }
        const auto put = write(m_toSocket);
        if (!put) {
            over(socketsWord(), Ended::Broken);
            return false;
        }
        dropFront(m_toSocket, *put);
        moved = moved || *put > 0;
        if (!m_toSocket.empty()) {
            waitWritable();
        }
    }
    if (m_toSocket.empty() && isSocketOutputOver() && !m_road.isBroken() && !m_toldSocketOver && !isClosed()) {
        m_toldSocketOver = true;
        endFarEnd();
    }
    return moved;
}

// What the road has left is on its way: whoever asked may read it, within reason, before the connection goes.
void RoadCarrier::lastWords() {
    const bool toProgram = m_socketIs == Socket::Program && (!m_toSocket.empty() || !isSocketOutputOver());
    const auto ended = m_road.isBroken() ? Ended::Broken : Ended::Whole;
    if (endsAtOnce() || (!toProgram && !isStreamLeft())) {
        over(how(), ended);
        return;
    }
    take(waiting()); // nobody reads it any more
    if (std::exchange(m_lastWords, true)) {
        return;
    }
    m_patience.expires_after(kLastWordPatience);
    m_patience.async_wait([self = weak_from_this(), ended](const boost::system::error_code& ec) {
        if (const auto road = self.lock(); road && !ec) {
            road->over(road->how(), ended);
        }
    });
}

void RoadCarrier::keepTime() {
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

void RoadCarrier::waitWritable() {
    m_writing = true;
    whenWritable([self = shared_from_this()] {
        self->m_writing = false;
        self->move();
    });
}

void RoadCarrier::waitReadable() {
    if (m_reading || m_socketEnded || !m_fromSocket.empty()) {
        return;
    }
    m_reading = true;
    whenReadable([self = shared_from_this()] {
        self->m_reading = false;
        auto got = self->read();
        switch (got.what) {
        case Read::What::Broken:
            self->over(self->socketsWord(), Ended::Broken);
            return;
        case Read::What::End:
            self->m_socketEnded = true;
            if (self->m_socketIs == Socket::Host) {
                self->m_road.hostEnded();
            } else {
                self->m_road.guestEnded();
            }
            break;
        case Read::What::Bytes:
            self->m_fromSocket = std::move(got.bytes);
            break;
        case Read::What::Nothing:
            break;
        }
        self->move();
    });
}

} // namespace carrel::clerk
