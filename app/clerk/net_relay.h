// SPDX-License-Identifier: Apache-2.0
// One stream of the network channel (guest/protocol/net_wire.h) from its first word to its end: whom the program wants, what the
// engine says to that, and then whatever carries its bytes to the socket that the engine handed over (net_carrier.h).
//
//   Head → Asking → Joined → Over
//   Head, Asking → Refusing → Over    a program that speaks plain HTTP is answered in it; any other finds its connection
//                                     refused (net_wire.h)
//
// Thread: the event loop's. Ownership: shared, because handlers in flight keep it; the desk drops it once it is over.
#pragma once

#include "app/clerk/net_carrier.h"
#include "guest/protocol/net_wire.h"

namespace carrel::clerk {

inline constexpr std::chrono::seconds kRefusalPatience{10}; // a program that was refused, and neither reads nor ends

class NetRelay : public std::enable_shared_from_this<NetRelay> {
public:
    enum class State { Head, Asking, Joined, Refusing, Over };
    struct Events {
        std::function<void(NetRelay&)> opening; // the head is there; asks the engine, or refuses
        std::function<void(NetRelay&)> over;    // once
    };

    NetRelay(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Events events);
    NetRelay(const NetRelay&) = delete;
    NetRelay& operator=(const NetRelay&) = delete;

    // From the guest's side.
    void guestData(ByteSpan data);
    void guestEnd();
    void guestReset();
    void guestWritable();
    void guestGone(); // the channel or its epoch ended

    // From the engine's. While asking; else without effect.
    void connected(UniqueFd socket, std::shared_ptr<NetCarrier> carrier);
    void cannotBeCarried(std::string how); // what the engine connected
    void note(const std::string& text); // somebody is being asked
    void refuse(net::Outcome outcome, const std::string& text);
    void cut(); // at once, whatever its state

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] std::uint32_t stream() const { return m_stream; }
    [[nodiscard]] const net::Opening& opening() const { return m_opening; }
    // 0: the engine knows nothing of it.
    void setNumber(std::uint64_t number) { m_number = number; }
    [[nodiscard]] std::uint64_t number() const { return m_number; }
    // By what was connected; null before.
    [[nodiscard]] NetCarrier* carrier() const { return m_carrier.get(); }
    [[nodiscard]] std::uint64_t sent() const { return m_carrier ? m_carrier->sent() : 0; }
    [[nodiscard]] std::uint64_t received() const { return m_carrier ? m_carrier->received() : 0; }
    [[nodiscard]] std::chrono::milliseconds age() const;
    // How it ended (link.h, net.closed), and whether the engine is to be told: not what it refused itself.
    [[nodiscard]] const std::string& how() const { return m_how; }
    [[nodiscard]] bool isEnginesToKnow() const { return m_number != 0 && !m_refused; }

private:
    void takeHead();
    void answerRefusal();
    void sayNo(net::Outcome outcome, const std::string& text);
    void drop(std::size_t bytes); // of what the guest sent first, unread
    void send(const net::Answer& answer);
    void breakOff(std::string how, std::uint32_t reason);
    void finish(std::string how, NetCarrier::Ended ended = NetCarrier::Ended::Broken);
    void carried(std::string how, NetCarrier::Ended ended);
    void startPatience(std::chrono::seconds most, std::string how);

    boost::asio::steady_timer m_patience;
    std::shared_ptr<ChannelPump> m_guest;
    Events m_events;
    std::uint32_t m_stream;
    State m_state = State::Head;
    net::Opening m_opening;
    std::uint64_t m_number = 0;
    std::chrono::steady_clock::time_point m_since = std::chrono::steady_clock::now();
    std::shared_ptr<NetCarrier> m_carrier;

    Bytes m_fromGuest; // come and not yet given back; nothing once it is joined
    bool m_guestEnded = false;
    bool m_refused = false; // by the engine
    bool m_answered = false; // refusing, and said so
    net::Answer m_refusal;
    std::size_t m_notes = 0;
    std::string m_how;
};

} // namespace carrel::clerk
