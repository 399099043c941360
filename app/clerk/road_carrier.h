// SPDX-License-Identifier: Apache-2.0
// What carries the requests of a connection by a road for HTTP (app/relay/http_road.h), which reads them: moves the road's bytes
// between a stream and a socket, and keeps its clock. Which of the road's two sides the socket is, is its user's to say: the host
// (net_road.h), or the program that asks (forward_road.h).
//
// What it holds: what the road does, a window of the stream's bytes, kMostQueued towards the stream, and two pieces of the socket's.
#pragma once

#include "app/clerk/net_carrier.h"
#include "app/relay/http_road.h"

#include <optional>

namespace carrel::clerk {

class RoadCarrier : public NetCarrier, public std::enable_shared_from_this<RoadCarrier> {
public:
    void guestWritable() override { move(); }

protected:
    enum class Socket { Host, Program };
    struct Ends {
        std::unique_ptr<relay::End> program;
        std::unique_ptr<relay::End> host;
    };
    RoadCarrier(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, Socket socket, Ends ends,
                relay::HttpRoad::Settings settings, relay::HttpRoad::Events events);
    void started() override { move(); }
    void guestMoved() override { move(); }
    // Until nothing moves any more. From within itself: once more.
    void move();

    // Between the road and the stream; true: something moved.
    [[nodiscard]] virtual bool moveFromStream() = 0;
    [[nodiscard]] virtual bool moveToStream() = 0;
    // The road is over: whether whoever is at the stream may still take something of it, or is to be let go on.
    [[nodiscard]] virtual bool isStreamLeft() const = 0;
    [[nodiscard]] virtual bool endsAtOnce() const { return false; } // whoever still reads
    [[nodiscard]] virtual std::string how() const = 0;              // as link.h has it

    // What came by the stream, to that side of the road, and its end, once.
    [[nodiscard]] bool feedFromStream();
    // As much as may wait there. `word`: how it is over where it cannot be told.
    [[nodiscard]] bool drainToStream(const char* word);
    [[nodiscard]] bool isStreamOutputOver() const { return m_socketIs == Socket::Host ? m_road.isGuestOutputOver() : m_road.isHostOutputOver(); }

    relay::HttpRoad m_road;

private:
    [[nodiscard]] bool isSocketOutputOver() const { return m_socketIs == Socket::Host ? m_road.isHostOutputOver() : m_road.isGuestOutputOver(); }
    [[nodiscard]] const char* socketsWord() const { return m_socketIs == Socket::Host ? "far end" : "client"; }
    [[nodiscard]] bool moveFromSocket();
    [[nodiscard]] bool moveToSocket();
    void lastWords();
    void keepTime();
    void waitReadable();
    void waitWritable();

    const Socket m_socketIs;
    Bytes m_fromSocket; // read, and not taken by the road yet
    Bytes m_toSocket;   // taken from it, and not written yet
    std::optional<relay::HttpRoad::Clock::time_point> m_timer; // what the patience is set to
    bool m_toldRoadOfEnd = false; // of the stream's
    bool m_toldSocketOver = false;
    bool m_socketEnded = false;
    bool m_lastWords = false;
    bool m_moving = false;
    bool m_again = false;
    bool m_reading = false; // a wait is under way
    bool m_writing = false;
};

} // namespace carrel::clerk
