// SPDX-License-Identifier: Apache-2.0
// The machine's connections to the world, all of one network channel: asks the engine about each (net.open) and relays what
// the engine connected (link.h). This process can open none itself, and believes nothing of what the guest says.
//
// Until the engine has said otherwise (net.mode) the machine is offline, and nothing is asked.
// Thread: the event loop's.
#pragma once

#include "app/clerk/guest_words.h"
#include "app/clerk/net_relay.h"
#include "app/clerk/net_trust.h"

#include <map>

namespace carrel::clerk {

// That wait for the engine; more are refused (Outcome::Limit).
inline constexpr std::size_t kMaxNetAsking = 256;
// That the engine is told of: so many at once, and then so many a second. A guest that opens and breaks off in a loop must
// not bury the engine in words, which would take the clerk for broken.
inline constexpr double kNetBurst = 1024;
inline constexpr double kNetPerSecond = 500;

class NetDesk {
public:
    using Clock = std::chrono::steady_clock;
    // `toEngine` takes an event of the link.
    NetDesk(boost::asio::io_context& loop, std::function<void(Told)> toEngine, std::function<Clock::time_point()> now = Clock::now);

    ~NetDesk() { m_meter->forgetLine(); }
    NetDesk(const NetDesk&) = delete;
    NetDesk& operator=(const NetDesk&) = delete;

    // What the channel's Mux is to call; then the channel itself.
    [[nodiscard]] Mux::Events events();
    void attach(std::shared_ptr<ChannelPump> channel) { m_channel = std::move(channel); }
    // The channel or its epoch is gone, and every connection with it.
    void channelGone();

    // The engine's requests. A number that is over is no error.
    [[nodiscard]] Status connected(const boost::json::object& params, std::vector<UniqueFd>&& descriptors);
    [[nodiscard]] Status refused(const boost::json::object& params);
    [[nodiscard]] Status cut(const boost::json::object& params);
    [[nodiscard]] Status setMode(const boost::json::object& params);
    [[nodiscard]] Status setLimits(const boost::json::object& params);
    [[nodiscard]] Status setTrust(const boost::json::object& params, const std::vector<UniqueFd>& descriptors);
    [[nodiscard]] Status setAuthority(const boost::json::object& params, const std::vector<UniqueFd>& descriptors);
    [[nodiscard]] Status setPlaceholders(const boost::json::object& params);
    [[nodiscard]] Status setCanaries(const boost::json::object& params);
    [[nodiscard]] Status answered(const boost::json::object& params, const std::vector<UniqueFd>& descriptors);
    [[nodiscard]] Result<boost::json::object> live(const boost::json::object& params) const;

private:
    [[nodiscard]] std::shared_ptr<NetRelay> find(std::uint32_t stream) const;
    [[nodiscard]] std::shared_ptr<NetRelay> findNumber(std::uint64_t number) const;
    [[nodiscard]] std::optional<StreamKind> accept(std::uint32_t stream);
    void opening(NetRelay& relay);
    enum class Treat { Raw, Tls, Http, Terminate };
    [[nodiscard]] static std::optional<Treat> treatFrom(std::string_view text);
    [[nodiscard]] std::shared_ptr<NetCarrier> carrierFor(const NetRelay& relay, Treat treat);
    [[nodiscard]] std::shared_ptr<NetCarrier> roadFor(const NetRelay& relay, Treat treat);
    void asked(std::uint64_t number, const relay::AskedRequest& request);
    void foundCanary(std::uint64_t number, std::uint64_t request, const relay::CanaryFound& found);
    void refuseRequest(std::uint64_t number, std::uint64_t request, const char* outcome, const char* text);
    [[nodiscard]] NetRoad* findRoad(std::uint64_t number) const; // null: none that reads requests
    [[nodiscard]] bool takeTurn();
    void over(NetRelay& relay);

    boost::asio::io_context& m_loop;
    std::function<void(Told)> m_toEngine;
    std::shared_ptr<ChannelPump> m_channel;
    std::map<std::uint32_t, std::shared_ptr<NetRelay>> m_relays;
    std::map<std::uint64_t, std::uint32_t> m_numbers; // of streams that the engine knows
    std::shared_ptr<NetMeter> m_meter; // of all of them
    NetTrust m_trust;
    relay::HttpRoad::Placeholders m_placeholders;
    relay::HttpRoad::Canaries m_canaries; // none: null
    std::uint64_t m_next = 1;
    bool m_offline = true;
    std::function<Clock::time_point()> m_now;
    Clock::time_point m_counted;
    double m_turns = kNetBurst;
};

} // namespace carrel::clerk
