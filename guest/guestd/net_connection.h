// SPDX-License-Identifier: Apache-2.0
// One connection of a program's, joined with one stream of the network channel (net_wire.h): bytes both ways with
// back-pressure, each half ended by itself, a break told as a break (RST).
//
//   Opening → Joined → Over     Opening: the host has not said yet; what the program sends is on its way all the same
//
// Thread: the service's. Ownership: owns the socket; borrows the channel.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/protocol/net_wire.h"

namespace carrel::guestd {

class NetConnection {
public:
    // Opens the stream and sends the head. `socket` does not block.
    NetConnection(Channel& channel, EpochNumber epoch, std::uint32_t stream, UniqueFd socket, const net::Opening& opening);
    NetConnection(const NetConnection&) = delete;
    NetConnection& operator=(const NetConnection&) = delete;
    ~NetConnection(); // breaks off what is not over

    // What the channel says of the stream.
    void hostData(Bytes&& data);
    void hostEnd();
    void hostReset();
    void hostWritable(); // what was queued has gone

    // What epoll(7) says of the socket.
    void ready(std::uint32_t events);
    // What it has to be asked: EPOLLIN, EPOLLOUT, both or nothing.
    [[nodiscard]] std::uint32_t wanted() const;
    [[nodiscard]] int socket() const { return m_socket.get(); }
    [[nodiscard]] bool isOver() const { return m_over; }

private:
    bool takeAnswer();
    void readSome();
    void writeSome();
    void breakOff(std::uint32_t reason); // both ends
    void finishIfDone();

    Channel& m_channel;
    EpochNumber m_epoch;
    std::uint32_t m_stream;
    UniqueFd m_socket;
    bool m_isOpen = false; // the host has said so
    bool m_reading = true; // false: the channel is behind
    bool m_programEnded = false;
    bool m_hostEnded = false;
    bool m_told = false; // the program, that the host has ended
    bool m_over = false;
    std::size_t m_notes = 0;
    Bytes m_toProgram; // come from the host, not yet written; at most a window
    std::size_t m_written = 0;
};

// The program finds its connection broken (RST) and not ended.
void resetSocket(UniqueFd socket);

} // namespace carrel::guestd
