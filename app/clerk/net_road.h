// SPDX-License-Identifier: Apache-2.0
// A program in the machine and a host, with the requests read (road_carrier.h): with TLS ended on both sides, or plain. Each is asked
// about; a canary in one is told, and what a model used for one.
#pragma once

#include "app/clerk/road_carrier.h"

namespace carrel::clerk {

class NetRoad final : public RoadCarrier {
public:
    using RoadCarrier::Ends;
    using Asks = std::function<void(const relay::AskedRequest& request)>; // of the engine, which answers by answer()
    using Finds = std::function<void(std::uint64_t request, const relay::CanaryFound& found)>; // once at most, right before it is over
    using Uses = std::function<void(std::uint64_t request, const relay::ModelUse& use)>;        // once of each that is metered

    NetRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Ends ends, relay::HttpRoad::Settings settings,
            Asks asks, Finds finds, Uses uses);
    // Without effect where that request is over.
    void answer(std::uint64_t request, relay::RequestAnswer answer);
    void setPlaceholders(relay::HttpRoad::Placeholders placeholders) { m_road.setPlaceholders(std::move(placeholders)); }
    void setCanaries(relay::HttpRoad::Canaries canaries) { m_road.setCanaries(std::move(canaries)); }

private:
    [[nodiscard]] bool moveFromStream() override { return feedFromStream(); }
    [[nodiscard]] bool moveToStream() override;
    [[nodiscard]] bool isStreamLeft() const override;
    [[nodiscard]] bool endsAtOnce() const override { return m_foundCanary; }
    [[nodiscard]] std::string how() const override;
    void closing() override { m_road.cut(); } // so that what is under way is told of
    void refused(const relay::Refusal& refusal);

    std::string m_fault; // how a request was refused that the engine was not asked about, or came to nothing
    bool m_foundCanary = false;
    bool m_toldGuestOver = false;
};

} // namespace carrel::clerk
