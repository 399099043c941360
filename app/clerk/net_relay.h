// SPDX-License-Identifier: Apache-2.0
// Joins one stream of the network channel (guest/protocol/net_wire.h) with a connected socket that the engine handed over:
// bytes both ways with back-pressure, each half ended by itself, the program's bytes by way of a gate (net_gate.h).
//
//   Head → Asking → Joined → Over
//   Head, Asking → Refusing → Over    a program that speaks plain HTTP is answered in it; any other finds its connection
//                                     refused (net_wire.h)
//
// What a stream can make this side hold: a window of the program's bytes, as long as nobody has taken them, and kMostQueued
// and a piece of the far end's.
// Thread: the event loop's. Ownership: shared, because handlers in flight keep it; the desk drops it once it is over.
#pragma once

#include "app/clerk/channel_pump.h"
#include "app/clerk/net_gate.h"
#include "guest/protocol/net_wire.h"

#include <boost/asio/steady_timer.hpp>

namespace carrel::clerk {

// A program that has been connected, and does not say who it wants within this, will not say it any more; nor does one read
// a refusal later. Guards, so that nobody's half a word holds a far end's connection.
inline constexpr std::chrono::seconds kHelloPatience{30};
inline constexpr std::chrono::seconds kRefusalPatience{10};

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
    void connected(UniqueFd socket, Treat treat);
    void note(const std::string& text); // somebody is being asked
    void refuse(net::Outcome outcome, const std::string& text);
    void cut(); // at once, whatever its state

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] std::uint32_t stream() const { return m_stream; }
    [[nodiscard]] const net::Opening& opening() const { return m_opening; }
    // 0: the engine knows nothing of it.
    void setNumber(std::uint64_t number) { m_number = number; }
    [[nodiscard]] std::uint64_t number() const { return m_number; }
    [[nodiscard]] std::uint64_t sent() const { return m_sent; }         // taken by the far end's socket
    [[nodiscard]] std::uint64_t received() const { return m_received; } // read from it
    [[nodiscard]] std::chrono::milliseconds age() const;
    // How it ended (link.h, net.closed), and whether the engine is to be told: not what it refused itself.
    [[nodiscard]] const std::string& how() const { return m_how; }
    [[nodiscard]] bool isEnginesToKnow() const { return m_number != 0 && !m_refused; }

private:
    void takeHead();
    void passOn();   // what may, to the far end
    void writeSome();
    void readSome();
    void waitReadable();
    void waitWritable();
    void gateSaysNo(const std::string& why);
    void answerRefusal();
    void sayNo(net::Outcome outcome, const std::string& text);
    void drop(std::size_t bytes); // of what the guest sent, unread
    void send(const net::Answer& answer);
    void endIfDone();
    void breakOff(std::string how, std::uint32_t reason);
    void finish(std::string how);
    void startPatience(std::chrono::seconds most, std::string how);
    [[nodiscard]] std::size_t waiting() const { return m_fromGuest.size() - m_taken; }

    boost::asio::posix::stream_descriptor m_socket;
    boost::asio::steady_timer m_patience;
    std::shared_ptr<ChannelPump> m_guest;
    Events m_events;
    std::uint32_t m_stream;
    State m_state = State::Head;
    net::Opening m_opening;
    std::uint64_t m_number = 0;
    std::chrono::steady_clock::time_point m_since = std::chrono::steady_clock::now();
    std::unique_ptr<NetGate> m_gate;

    Bytes m_fromGuest;       // come and not yet given back
    std::size_t m_taken = 0; // of it, written or dropped
    std::size_t m_passed = 0; // of it, let through by the gate
    bool m_guestEnded = false;
    bool m_toldFarEnd = false; // that the program has ended
    bool m_farEndEnded = false;
    bool m_reading = false; // a wait is under way
    bool m_writing = false;
    bool m_refused = false; // by the engine
    bool m_answered = false; // refusing, and said so
    net::Answer m_refusal;
    std::size_t m_notes = 0;
    std::uint64_t m_sent = 0;
    std::uint64_t m_received = 0;
    std::string m_how;
};

} // namespace carrel::clerk
