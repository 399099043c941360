// SPDX-License-Identifier: Apache-2.0
// Passes a connection's bytes as they are, the program's by way of a gate (net_gate.h). Each half is ended by itself.
// What it holds: a window of the program's bytes as long as nobody has taken them, and kMostQueued and a piece of the far end's.
#pragma once

#include "app/clerk/net_carrier.h"
#include "app/clerk/net_gate.h"

namespace carrel::clerk {

class NetPipe final : public NetCarrier, public std::enable_shared_from_this<NetPipe> {
public:
    NetPipe(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, std::unique_ptr<NetGate> gate);
    void guestWritable() override { waitReadable(); }

private:
    void started() override;
    void guestMoved() override;
    void writeSome();
    void readSome();
    void waitReadable();
    void waitWritable();
    void endIfDone();

    std::unique_ptr<NetGate> m_gate;
    std::size_t m_passed = 0; // of what waits: let through by the gate
    bool m_toldFarEnd = false; // that the program has ended
    bool m_farEndEnded = false;
    bool m_reading = false; // a wait is under way
    bool m_writing = false;
};

} // namespace carrel::clerk
