// SPDX-License-Identifier: Apache-2.0
// Moves bytes between one descriptor and one Mux on the clerk's event loop: reads what is there, feeds it, writes
// what the Mux hands out, never blocks. Begins epochs on a channel, and begins a new one when the bytes are spoilt
// or the guest's end started again; too many in a minute end the channel.
// Ownership: one per descriptor, held by shared_ptr because handlers in flight keep it. Thread: the event loop's.
#pragma once

#include "guest/protocol/mux.h"
#include "guest/protocol/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace carrel::clerk {

// A guest that spoils its channel more often than this is broken or hostile; serving it costs the host more than it
// can be worth. A guestd that starts again after a crash needs one or two.
inline constexpr int kMaxEpochsPerMinute = 60;

class ChannelPump : public std::enable_shared_from_this<ChannelPump> {
public:
    enum class Peer { Guest, LocalSocket };
    // `closed` is called once, with the reason, when the descriptor ended or was given up. `events.spoilt` and
    // `events.epoch` reach the owner after the pump has done its own part.
    static std::shared_ptr<ChannelPump> create(boost::asio::io_context& loop, UniqueFd fd, Peer peer,
                                               Mux::Events events, Mux::Options options,
                                               std::function<void(const std::string& why)> closed);

    void start(std::uint32_t localTag = 0);
    // After any call on mux(): writes what became ready, once the current handler is done.
    void flushSoon();
    // A new epoch, once the current handler is done: what the peer did not take is given up.
    void restart();
    // Ends without calling `closed`; what is queued is lost.
    void close();
    // The same once everything queued has been written; the pump keeps itself alive until then.
    void closeAfterFlush();
    [[nodiscard]] Mux& mux() { return *m_mux; }
    // The peer is there and an epoch stands: what is sent now is answered, or its end is told by an event.
    [[nodiscard]] bool isOpen() const { return !m_over && m_mux->isOpen(); }
    [[nodiscard]] bool isOver() const { return m_over; }

private:
    ChannelPump(boost::asio::io_context& loop, UniqueFd fd, Peer peer, std::function<void(const std::string&)> closed);
    void waitReadable();
    void onReadable();
    void write();
    void beginEpoch();
    void giveUp(const std::string& why);

    boost::asio::io_context& m_loop;
    boost::asio::posix::stream_descriptor m_stream;
    Peer m_peer;
    std::function<void(const std::string&)> m_closed;
    std::unique_ptr<Mux> m_mux;
    Bytes m_readBuffer;
    Bytes m_output;
    std::size_t m_written = 0;
    bool m_flushPending = false;
    bool m_writeWaiting = false;
    bool m_over = false;
    bool m_closing = false;
    bool m_epochWanted = false;
    std::deque<std::chrono::steady_clock::time_point> m_epochs;
};

} // namespace carrel::clerk
