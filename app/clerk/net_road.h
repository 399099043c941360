// SPDX-License-Identifier: Apache-2.0
// Carries the requests of a connection by a road for HTTP (app/relay/http_road.h), which reads them: with TLS ended on both sides, or
// plain. Moves its bytes between the guest's stream and the far end's socket, and keeps its clock.
//
// What it holds: what the road does, a window of the program's bytes, kMostQueued and a piece of the far end's.
#pragma once

#include "app/clerk/net_carrier.h"
#include "app/relay/http_road.h"

namespace carrel::clerk {

class NetRoad final : public NetCarrier, public std::enable_shared_from_this<NetRoad> {
public:
    struct Ends {
        std::unique_ptr<relay::End> guest;
        std::unique_ptr<relay::End> farEnd;
    };
    using Asks = std::function<void(const relay::AskedRequest& request)>; // of the engine, which answers by answer()

    using Finds = std::function<void(std::uint64_t request, const relay::CanaryFound& found)>; // once at most, right before it is over
    NetRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Ends ends, relay::HttpRoad::Settings settings,
            Asks asks, Finds finds);
    void guestWritable() override;
    // Without effect where that request is over.
    void answer(std::uint64_t request, relay::RequestAnswer answer);
    void setPlaceholders(relay::HttpRoad::Placeholders placeholders);
    void setCanaries(relay::HttpRoad::Canaries canaries);

private:
    void started() override;
    void guestMoved() override;
    void move();
    [[nodiscard]] bool moveFromGuest();
    [[nodiscard]] bool moveToGuest();
    [[nodiscard]] bool moveFromFarEnd();
    [[nodiscard]] bool moveToFarEnd();
    void lastWords();
    void keepTime();
    void waitReadable();
    void waitWritable();
    void refused(const relay::Refusal& refusal);

    relay::HttpRoad m_road;
    Bytes m_fromFarEnd; // read, and not taken by the road yet
    Bytes m_toFarEnd;   // taken from it, and not written yet
    std::string m_fault; // how a request was refused that the engine was not asked about, or came to nothing
    std::optional<relay::HttpRoad::Clock::time_point> m_timer; // what the patience is set to
    bool m_foundCanary = false;
    bool m_toldGuestEnd = false; // the road
    bool m_toldGuestOver = false;
    bool m_toldFarEnd = false;
    bool m_farEndEnded = false;
    bool m_lastWords = false;
    bool m_moving = false;
    bool m_again = false;
    bool m_reading = false; // a wait is under way
    bool m_writing = false;
};

} // namespace carrel::clerk
