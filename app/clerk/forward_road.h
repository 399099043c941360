// SPDX-License-Identifier: Apache-2.0
// One connection of a client on this computer to a server in the agent's machine: HTTP, read both ways (app/relay/http_road.h), each
// head past the guard (app/relay/forward_guard.h). The client is what a program is to the road, and the server what a host is.
//
//   Idle → Asking → There | Refused     the stream to the machine: opened with the first request, since browsers make connections
//                                       ahead, and a server that takes one at a time would stand still with such a one
//
// What it holds: what the road does, a window of the server's bytes, kMostQueued towards it, and two pieces of the client's.
#pragma once

#include "app/clerk/net_carrier.h"
#include "app/relay/http_road.h"
#include "guest/protocol/net_wire.h"

namespace carrel::clerk {

class ForwardRoad final : public NetCarrier, public std::enable_shared_from_this<ForwardRoad> {
public:
    // `origin`: as the client has to know it. `port`: the server's.
    ForwardRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, relay::Origin origin, std::uint16_t port);

    void guestWritable() override { move(); }
    void guestReset(); // the stream is gone
    [[nodiscard]] bool hasStream() const { return m_server != Server::Idle && !m_streamGone && !(m_guestEnded && m_toldServerOver); }
    [[nodiscard]] bool hasEndedStream() const { return m_toldServerOver; } // its own half of it

private:
    enum class Server { Idle, Asking, There, Refused };

    ForwardRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, relay::Origin origin, std::uint16_t port,
                std::unique_ptr<relay::PlainEnd> serverEnd);
    void started() override { move(); }
    void guestMoved() override { move(); }
    void wanted();
    void takeAnswer();
    void refused(std::string why);
    void move();
    [[nodiscard]] bool moveFromClient();
    [[nodiscard]] bool moveToClient();
    [[nodiscard]] bool moveFromServer();
    [[nodiscard]] bool moveToServer();
    void lastWords();
    void keepTime();
    void waitReadable();
    void waitWritable();

    const std::uint16_t m_port;
    relay::PlainEnd& m_serverEnd; // the road's
    relay::HttpRoad m_road;
    Server m_server = Server::Idle;
    Bytes m_fromClient; // read, and not taken by the road yet
    Bytes m_toClient;   // taken from it, and not written yet
    std::optional<relay::HttpRoad::Clock::time_point> m_timer; // what the patience is set to
    bool m_news = false; // of the server's end, that the road has not seen
    bool m_streamGone = false;
    bool m_clientEnded = false;
    bool m_toldServerEnd = false; // the road
    bool m_toldServerOver = false;
    bool m_toldClientOver = false;
    bool m_lastWords = false;
    bool m_moving = false;
    bool m_again = false;
    bool m_reading = false; // a wait is under way
    bool m_writing = false;
};

} // namespace carrel::clerk
