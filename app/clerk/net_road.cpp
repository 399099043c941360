// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_road.h"

#include <array>

namespace carrel::clerk {

NetRoad::NetRoad(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Ends ends,
                 relay::HttpRoad::Settings settings, Asks asks, Finds finds, Uses uses)
    : RoadCarrier(loop, stream, std::move(guest), Socket::Host, std::move(ends), std::move(settings),
                  {relay::HttpRoad::Clock::now, std::move(asks), [this](std::uint64_t, const relay::Refusal& refusal) { refused(refusal); },
                   [this, finds = std::move(finds)](std::uint64_t request, const relay::CanaryFound& found) {
                       m_foundCanary = true;
                       finds(request, found);
                   },
                   std::move(uses)}) {}

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

// As link.h has it (net.closed).
std::string NetRoad::how() const {
    const auto& road = m_road.how();
    if (road == "refused") {
        return m_fault.empty() ? "refused" : m_fault;
    }
    constexpr std::array kWords{"ended", "guest", "far end", "timed out", "idle", "cut", "canary"};
    const bool known = std::find(kWords.begin(), kWords.end(), road) != kWords.end();
    return known ? road : m_fault.empty() ? "http" : m_fault;
}

void NetRoad::answer(std::uint64_t request, relay::RequestAnswer answer) {
    m_road.answer(request, std::move(answer));
    move();
}

bool NetRoad::moveToStream() {
    const bool moved = drainToStream("guest");
    if (isStreamOutputOver() && !m_road.isBroken() && !m_toldGuestOver && !isClosed()) {
        m_toldGuestOver = true;
        endGuest();
    }
    return moved;
}

bool NetRoad::isStreamLeft() const {
    return m_guest->mux().queued(m_stream) > 0 || !isStreamOutputOver() || (!m_road.isBroken() && !m_guestEnded);
}

} // namespace carrel::clerk
