// SPDX-License-Identifier: Apache-2.0
// What carries the bytes of one connection once the engine has made it: as they are (net_pipe.h), or as requests that are read
// (net_road.h). Between a stream of the network channel and a connected socket, with back-pressure both ways, and within what the
// machine may carry (net_meter.h).
//
// Owner: the connection's NetRelay; handlers in flight share it. Thread: the event loop's.
#pragma once

#include "app/clerk/channel_pump.h"
#include "app/clerk/net_meter.h"

#include <boost/asio/steady_timer.hpp>

namespace carrel::clerk {

// A program that has been connected, and does not say who it wants within this, will not say it any more; nor does one read
// a last word later. Guards, so that nobody's half a word holds a far end's connection.
inline constexpr std::chrono::seconds kHelloPatience{30};
inline constexpr std::chrono::seconds kLastWordPatience{10};
inline constexpr std::size_t kMostQueued = 192 * 1024; // towards the guest, before the far end has to wait

class NetCarrier {
public:
    enum class Ended { Whole, Broken }; // Broken: neither side may take what came for all that there is
    using Over = std::function<void(std::string how, Ended ended)>; // `how` as in link.h, net.closed

    NetCarrier(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest)
        : m_guest(std::move(guest))
        , m_stream(stream)
        , m_socket(loop)
        , m_patience(loop) {}
    virtual ~NetCarrier() = default;
    NetCarrier(const NetCarrier&) = delete;
    NetCarrier& operator=(const NetCarrier&) = delete;

    // Before start(): the socket is not read or written but by this; null: nothing holds it.
    void holdTo(std::shared_ptr<NetMeter> meter) { m_meter = std::move(meter); }
    // Once, and first. `early`: what the program has said already. `over` is called once, from then on, and last.
    void start(UniqueFd socket, Bytes early, bool guestEnded, Over over);
    // From the guest's side. What comes is given back to it as credit when it has been taken.
    void guestData(ByteSpan data);
    void guestEnd();
    virtual void guestWritable() = 0;
    // Lets go of the socket, at once; broken: the far end is told so. Nothing is called any more.
    void close(Ended ended);

    [[nodiscard]] std::uint64_t sent() const { return m_sent; }         // taken by the far end's socket
    [[nodiscard]] std::uint64_t received() const { return m_received; } // read from it

protected:
    virtual void started() = 0;
    virtual void guestMoved() = 0; // more of it has come, or its end
    void over(std::string how, Ended ended);
    [[nodiscard]] bool isClosed() const { return m_closed; }
    // Of what has come from the guest: gives credit for it, and lets go of it once that is worth a move.
    void take(std::size_t bytes);
    [[nodiscard]] std::size_t waiting() const { return m_fromGuest.size() - m_taken; }
    [[nodiscard]] ByteSpan fromGuest() const { return ByteSpan(m_fromGuest).subspan(m_taken); }
    // False: it cannot be told anything any more.
    [[nodiscard]] bool tellGuest(ByteSpan bytes);
    void endGuest();
    // The far end's socket. The first two: `then` is called once it can be read, or written, and the machine may; not after close().
    // `then` holds this object; one at a time of each.
    void whenReadable(std::function<void()> then);
    void whenWritable(std::function<void()> then);
    // write() tells how many bytes it took; less than there are: wait. Nothing: it is broken.
    [[nodiscard]] std::optional<std::size_t> write(ByteSpan bytes);
    struct Read {
        enum class What { Bytes, Nothing, End, Broken } what = What::Nothing;
        Bytes bytes = {};
    };
    [[nodiscard]] Read read(); // from within what whenReadable() calls
    void endFarEnd();

    std::shared_ptr<ChannelPump> m_guest;
    const std::uint32_t m_stream;
    boost::asio::posix::stream_descriptor m_socket;
    boost::asio::steady_timer m_patience;
    bool m_guestEnded = false;

private:
    struct Turn { // of one direction
        std::uint64_t place = 0; // in the meter's line
        std::size_t most = 0;    // while it lasts: so much may be moved
    };
    void whenDue(Turn& turn, const std::function<void()>& then);

    Over m_over;
    std::shared_ptr<NetMeter> m_meter;
    Turn m_read, m_write;
    Bytes m_fromGuest;       // come and not yet let go of
    std::size_t m_taken = 0; // of it
    std::uint64_t m_sent = 0;
    std::uint64_t m_received = 0;
    bool m_closed = false;
};

} // namespace carrel::clerk
