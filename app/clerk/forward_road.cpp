// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/forward_road.h"

#include "app/relay/forward_guard.h"

#include <array>

namespace carrel::clerk {

std::shared_ptr<ForwardRoad> ForwardRoad::create(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest,
                                                 const relay::Origin& origin, std::uint16_t port) {
    auto serverEnd = std::make_unique<relay::PlainEnd>();
    auto& known = *serverEnd; // the road's from here on
    return std::shared_ptr<ForwardRoad>(
        new ForwardRoad(loop, stream, std::move(guest), origin, port, known, {std::make_unique<relay::PlainEnd>(), std::move(serverEnd)}));
}

ForwardRoad::ForwardRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, const relay::Origin& origin,
                         std::uint16_t port, relay::PlainEnd& serverEnd, Ends ends)
    : RoadCarrier(loop, stream, std::move(guest), Socket::Program, std::move(ends),
                  {.origin = origin, .placeholders = nullptr, .bounds = {}, .guard = std::make_shared<relay::ForwardGuard>(origin, port)},
                  {.now = relay::HttpRoad::Clock::now,
                   .ask = [this](const relay::AskedRequest& request) { m_road.answer(request.request, {.verdict = relay::Verdict::Allow}); },
                   .refused = nullptr,
                   .wanted = [this] { wanted(); }})
    , m_port(port)
    , m_serverEnd(serverEnd) {}

// As link.h has it (forward.closed): the road's words, from the client's side.
std::string ForwardRoad::how() const {
    constexpr std::array<std::pair<const char*, const char*>, 7> kWords{{{"ended", "ended"},
                                                                         {"guest", "client"},
                                                                         {"far end", "server"},
                                                                         {"refused", "refused"},
                                                                         {"timed out", "timed out"},
                                                                         {"idle", "idle"},
                                                                         {"cut", "cut"}}};
    const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& each) { return m_road.how() == each.first; });
    return found == kWords.end() ? "server" : found->second; // the rest is what was wrong with its answers
}

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

bool ForwardRoad::moveFromStream() {
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
    return feedFromStream();
}

bool ForwardRoad::moveToStream() {
    const bool moved = m_server == Server::There && !m_streamGone && drainToStream("server");
    if (hasStream() && isStreamOutputOver() && !m_road.isBroken() && !m_toldServerOver && !isClosed()) {
        m_toldServerOver = true;
        endGuest();
    }
    return moved;
}

} // namespace carrel::clerk
