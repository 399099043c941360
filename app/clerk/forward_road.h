// SPDX-License-Identifier: Apache-2.0
// One connection of a client on this computer to a server in the agent's machine: HTTP, read both ways (road_carrier.h), each head past
// the guard (app/relay/forward_guard.h). The client is what a program is to the road, and the server what a host is.
//
//   Idle → Asking → There | Refused     the stream to the machine: opened with the first request, since browsers make connections
//                                       ahead, and a server that takes one at a time would stand still with such a one
#pragma once

#include "app/clerk/road_carrier.h"
#include "guest/protocol/net_wire.h"

namespace carrel::clerk {

class ForwardRoad final : public RoadCarrier {
public:
    // `origin`: as the client has to know it. `port`: the server's.
    [[nodiscard]] static std::shared_ptr<ForwardRoad> create(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest,
                                                             const relay::Origin& origin, std::uint16_t port);

    void guestReset(); // the stream is gone
    [[nodiscard]] bool hasStream() const { return m_server != Server::Idle && !m_streamGone && !(m_guestEnded && m_toldServerOver); }
    [[nodiscard]] bool hasEndedStream() const { return m_toldServerOver; } // its own half of it

private:
    enum class Server { Idle, Asking, There, Refused };

    ForwardRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, const relay::Origin& origin,
                std::uint16_t port, relay::PlainEnd& serverEnd, Ends ends);
    void wanted();
    void takeAnswer();
    void refused(std::string why);
    [[nodiscard]] bool moveFromStream() override;
    [[nodiscard]] bool moveToStream() override;
    [[nodiscard]] bool isStreamLeft() const override { return false; } // the server is told nothing that it could still want
    [[nodiscard]] std::string how() const override;

    const std::uint16_t m_port;
    relay::PlainEnd& m_serverEnd; // the road's
    Server m_server = Server::Idle;
    bool m_news = false; // of the server's end, that the road has not seen
    bool m_streamGone = false;
    bool m_toldServerOver = false;
};

} // namespace carrel::clerk
