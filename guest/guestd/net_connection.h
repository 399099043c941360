// SPDX-License-Identifier: Apache-2.0
// A socket of the agent's world, joined with one stream of the network channel (net_wire.h): bytes both ways with back-pressure,
// each half ended by itself, a break told as a break (RST).
//
//   ProgramConnection   a program's to the world, if the host lets it
//     Opening → Joined → Over              Opening: the host has not said yet; what the program sends is on its way all the same
//     Opening → Refused → Joined → Over    Joined: with what the host says instead; where it says nothing the socket is broken off
//   ServerConnection    to a server of the agent's own, for somebody at the host
//     Head → Connecting → Joined → Over
//
// Thread: the service's. Ownership: owns the socket; borrows the channel.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/protocol/net_wire.h"

#include <functional>

namespace carrel::guestd {

class NetConnection {
public:
    NetConnection(const NetConnection&) = delete;
    NetConnection& operator=(const NetConnection&) = delete;
    virtual ~NetConnection(); // breaks off what is not over

    // What the channel says of the stream.
    void hostData(Bytes&& data);
    void hostEnd();
    void hostReset() { letGo(); }
    void hostWritable() { m_reading = true; } // what was queued has gone

    // What epoll(7) says of the socket.
    void ready(std::uint32_t events);
    // What it has to be asked: EPOLLIN, EPOLLOUT, both or nothing.
    [[nodiscard]] std::uint32_t wanted() const;
    [[nodiscard]] int socket() const { return m_socket.get(); } // -1: none yet; may be another one the next time
    [[nodiscard]] bool isOver() const { return m_over; }

protected:
    NetConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket);

    // Before it is joined: more has come of what the host says first, the host has ended, the socket can be written to.
    virtual void headData() = 0;
    virtual void headEnd() = 0;
    virtual void socketWritable() {}
    enum class Before { Nothing, Reading, Connecting };
    [[nodiscard]] virtual Before before() const = 0;

    [[nodiscard]] ByteSpan come() const { return m_toSocket; } // before it is joined
    void drop(std::size_t bytes);                              // of that
    void setSocket(UniqueFd socket) { m_socket = std::move(socket); }
    void join();
    void breakOff(std::uint32_t reason); // both ends
    void letGo();                        // of the socket alone: the host knows

    Channel& m_channel;
    const EpochNumber m_epoch;
    const std::uint32_t m_stream;

private:
    void readSome();
    void writeSome();
    void finishIfDone();

    UniqueFd m_socket;
    bool m_joined = false;
    bool m_reading = true; // false: the channel is behind
    bool m_socketEnded = false;
    bool m_hostEnded = false;
    bool m_told = false; // the socket, that the host has ended
    bool m_over = false;
    Bytes m_toSocket; // come from the host, not yet written; at most a window
    std::size_t m_written = 0;
};

class ProgramConnection final : public NetConnection {
public:
    // The host said no; called before the program finds its connection broken.
    using Refused = std::function<void(const net::Answer&)>;
    // Opens the stream and sends the head. `socket` does not block.
    ProgramConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket, const net::Opening& opening, Refused refused);

private:
    void headData() override;
    void headEnd() override;
    [[nodiscard]] Before before() const override { return Before::Reading; }

    const Refused m_refused;
    bool m_isRefused = false;
    std::size_t m_notes = 0;
};

// Connects from the network namespace of its thread: to 127.0.0.1, or where nobody listens there to ::1.
class ServerConnection final : public NetConnection {
public:
    ServerConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream); // that the host has opened

private:
    void headData() override;
    void headEnd() override;
    void socketWritable() override;
    [[nodiscard]] Before before() const override { return m_port == 0 ? Before::Nothing : Before::Connecting; }
    void connectFrom(std::size_t place);

    std::uint16_t m_port = 0; // 0: the head has not come
    std::size_t m_place = 0;  // of those that are tried
};

// Its other end finds its connection broken (RST) and not ended.
void resetSocket(UniqueFd socket);
// For a stream of the host's for which there is no room, or no agent: answers the stream and ends it.
void refuseInward(Channel& channel, EpochNumber epoch, std::uint32_t stream, net::Outcome outcome);

} // namespace carrel::guestd
