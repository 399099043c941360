// SPDX-License-Identifier: Apache-2.0
// Servers in the agent's machine that are shown on this computer, all connections to them: the engine listens, and hands each
// connection over (link.h, forward.connected). Opens a stream to the machine for each (guest/protocol/net_wire.h, Inward); this process
// can listen nowhere, and connects to nothing.
// Thread: the event loop's.
#pragma once

#include "app/clerk/forward_road.h"
#include "app/clerk/guest_words.h"

#include <map>
#include <set>

namespace carrel::clerk {

inline constexpr std::size_t kMaxForwardRoads = 256; // at a time; a connection more is closed

class ForwardDesk {
public:
    // `toEngine` takes an event of the link.
    ForwardDesk(boost::asio::io_context& loop, std::function<void(Told)> toEngine)
        : m_loop(loop)
        , m_toEngine(std::move(toEngine)) {}

    // What the channel's Mux is to call for streams of the host's; then the channel itself.
    void data(std::uint32_t stream, Bytes&& data);
    void end(std::uint32_t stream);
    void reset(std::uint32_t stream);
    void writable(std::uint32_t stream);
    void attach(std::shared_ptr<ChannelPump> channel) { m_channel = std::move(channel); }
    // The channel or its epoch is gone, and every connection with it.
    void channelGone();

    // The engine's requests. A number that is over is no error.
    [[nodiscard]] Status connected(const boost::json::object& params, std::vector<UniqueFd>&& descriptors);
    [[nodiscard]] Status cut(const boost::json::object& params);

private:
    struct Road {
        std::uint64_t number = 0; // the engine's
        std::shared_ptr<ForwardRoad> road;
    };
    [[nodiscard]] std::shared_ptr<ForwardRoad> find(std::uint32_t stream) const;
    void leave(std::uint32_t stream);
    void breakOff(std::uint32_t stream);
    void over(std::uint32_t stream, const std::string& how, NetCarrier::Ended ended);
    void tellClosed(std::uint64_t number, std::uint64_t sent, std::uint64_t received, const std::string& how);

    boost::asio::io_context& m_loop;
    std::function<void(Told)> m_toEngine;
    std::shared_ptr<ChannelPump> m_channel;
    std::map<std::uint32_t, Road> m_roads; // by stream
    // That have ended well on this side, and whose server has not ended its own: it is not broken off, unless it goes on.
    std::set<std::uint32_t> m_leaving;
    std::uint32_t m_next = net::kFirstHostStream; // of this epoch; 0: they are used up
};

} // namespace carrel::clerk
