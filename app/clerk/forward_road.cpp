// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/forward_road.h"

#include "app/relay/forward_guard.h"

#include <array>

namespace carrel::clerk {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = 64 * 1024;

void dropFront(Bytes& bytes, std::size_t count) {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

// As link.h has it (forward.closed): the road's words, from the client's side.
std::string howOf(const std::string& road) {
    constexpr std::array<std::pair<const char*, const char*>, 7> kWords{{{"ended", "ended"},
                                                                         {"guest", "client"},
                                                                         {"far end", "server"},
                                                                         {"refused", "refused"},
                                                                         {"timed out", "timed out"},
                                                                         {"idle", "idle"},
                                                                         {"cut", "cut"}}};
    const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& each) { return road == each.first; });
    return found == kWords.end() ? "server" : found->second; // the rest is what was wrong with its answers
}

} // namespace

ForwardRoad::ForwardRoad(asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, relay::Origin origin, std::uint16_t port)
    : ForwardRoad(loop, stream, std::move(guest), std::move(origin), port, std::make_unique<relay::PlainEnd>()) {}

ForwardRoad::ForwardRoad(asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, relay::Origin origin, std::uint16_t port,
                         std::unique_ptr<relay::PlainEnd> serverEnd)
    : NetCarrier(loop, stream, std::move(guest))
    , m_port(port)
    , m_serverEnd(*serverEnd)
    , m_road(std::make_unique<relay::PlainEnd>(), std::move(serverEnd),
             {.origin = origin, .placeholders = nullptr, .bounds = {}, .guard = std::make_shared<relay::ForwardGuard>(origin, port)},
             {.now = relay::HttpRoad::Clock::now,
              .ask = [this](const relay::AskedRequest& request) { m_road.answer(request.request, {.verdict = relay::Verdict::Allow}); },
              .refused = nullptr,
              .wanted = [this] { wanted(); }}) {}

// From within the road: its end towards the server tells it the rest.
void ForwardRoad::wanted() {
    if (m_server != Server::Idle) {
        return;
    }
    m_server = Server::Asking;
    m_serverEnd.opening();
    m_guest->mux().openStream(m_stream, StreamKind::Bytes);
    if (!tellGuest(toWire(net::Inward{m_port}))) {
        refused("The agent's machine does not answer");
    }
}

void ForwardRoad::refused(std::string why) {
    m_server = Server::Refused;
    m_news = true;
    m_serverEnd.failed(std::move(why));
}

void ForwardRoad::takeAnswer() {
    const auto answer = net::answerFrom(fromGuest());
    if (answer && !*answer && !m_guestEnded) {
        return;
    }
    if (!answer || !*answer) {
        refused("The agent's machine did not answer in good order");
        return;
    }
    const auto outcome = (*answer)->head.outcome;
    take((*answer)->bytes);
    if (outcome == net::Outcome::Open) {
        m_server = Server::There;
        m_news = true;
        m_serverEnd.opened();
    } else if (outcome == net::Outcome::Limit) {
        refused("The agent's machine has too many connections");
    } else {
        refused("Nothing answers at port " + std::to_string(m_port) + " of the agent's machine");
    }
}

void ForwardRoad::guestReset() {
    m_streamGone = true;
    if (m_server == Server::Asking) {
        refused("The agent's machine takes no such connection: one that runs since before an update has to be stopped and started");
        move();
    } else if (m_server == Server::There) {
        over("server", Ended::Broken);
    }
}

void ForwardRoad::move() {
    if (m_moving) {
        m_again = true;
        return;
    }
    m_moving = true;
    for (bool moved = true; moved && !isClosed();) {
        m_again = false;
        moved = moveFromClient();
        moved = moveFromServer() || moved;
        moved = moveToServer() || moved;
        moved = moveToClient() || moved || m_again;
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

bool ForwardRoad::moveFromClient() {
    const auto took = m_fromClient.empty() ? 0 : m_road.fromGuest(m_fromClient);
    dropFront(m_fromClient, took);
    return took > 0;
}

bool ForwardRoad::moveFromServer() {
    if (m_server == Server::Asking) {
        takeAnswer();
    }
    if (std::exchange(m_news, false)) {
        (void)m_road.fromHost({}); // so that it looks at its end
        return true;
    }
    if (m_server != Server::There) {
        take(m_server == Server::Refused ? waiting() : 0); // nobody reads it
        return false;
    }
    const auto took = waiting() == 0 ? 0 : m_road.fromHost(fromGuest());
    take(took);
    if (m_guestEnded && waiting() == 0 && !m_toldServerEnd) {
        m_toldServerEnd = true;
        m_road.hostEnded();
        return true;
    }
    return took > 0;
}

bool ForwardRoad::moveToServer() {
    bool moved = false;
    while (m_server == Server::There && !m_streamGone && m_guest->mux().queued(m_stream) < kMostQueued) {
        const auto some = m_road.takeForHost(kPiece);
        if (some.empty()) {
            break;
        }
        if (!tellGuest(some)) {
            over("server", Ended::Broken);
            return false;
        }
        moved = true;
    }
    if (hasStream() && m_road.isHostOutputOver() && !m_road.isBroken() && !m_toldServerOver) {
        m_toldServerOver = true;
        endGuest();
    }
    return moved;
}

bool ForwardRoad::moveToClient() {
    bool moved = false;
    while (!m_writing && !isClosed()) {
        if (m_toClient.empty()) {
            m_toClient = m_road.takeForGuest(kPiece);
        }
        if (m_toClient.empty()) {
            break;
        }
        const auto put = write(m_toClient);
        if (!put) {
            over("client", Ended::Broken);
            return false;
        }
        dropFront(m_toClient, *put);
        moved = moved || *put > 0;
        if (!m_toClient.empty()) {
            waitWritable();
        }
    }
    if (m_toClient.empty() && m_road.isGuestOutputOver() && !m_road.isBroken() && !m_toldClientOver && !isClosed()) {
        m_toldClientOver = true;
        endFarEnd();
    }
    return moved;
}

// What the road has left is on its way: the client may read it, within reason, before its connection goes.
void ForwardRoad::lastWords() {
    const auto how = howOf(m_road.how());
    const auto ended = m_road.isBroken() ? Ended::Broken : Ended::Whole;
    if (m_toClient.empty() && m_road.isGuestOutputOver()) {
        over(how, ended);
        return;
    }
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

void ForwardRoad::keepTime() {
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

void ForwardRoad::waitWritable() {
    m_writing = true;
    m_socket.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const boost::system::error_code& ec) {
        self->m_writing = false;
        if (!ec && !self->isClosed()) {
            self->move();
        }
    });
}

void ForwardRoad::waitReadable() {
    if (m_reading || m_clientEnded || !m_fromClient.empty()) {
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
            self->over("client", Ended::Broken);
            return;
        case Read::What::End:
            self->m_clientEnded = true;
            self->m_road.guestEnded();
            break;
        case Read::What::Bytes:
            self->m_fromClient = std::move(got.bytes);
            break;
        case Read::What::Nothing:
            break;
        }
        self->move();
    });
}

} // namespace carrel::clerk
