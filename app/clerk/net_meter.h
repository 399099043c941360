// SPDX-License-Identifier: Apache-2.0
// What all connections of the machine to the world may carry together (link.h, net.limits): so much a second, as a bucket that fills
// with time, and so much at all, until the engine gives more. Both directions count alike, by what the far ends' sockets took and gave.
//
// Who may not go on stands in a line, and gets a piece when it is at the head: so many connections share evenly, however much one of
// them has to say. While nobody may go on nothing runs but one timer; none where it is the engine that has to say more.
//
// Owner: the desk; its connections share it. Thread: the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace carrel::clerk {

struct NetLimits {
    std::uint64_t rate = 0;            // bytes a second; 0: any
    std::optional<std::uint64_t> most; // bytes since this clerk began; none: any
};

class NetMeter {
public:
    using Clock = std::chrono::steady_clock;
    using Turn = std::function<void(std::size_t most)>;
    static constexpr std::size_t kPiece = 64 * 1024; // of one turn, at most

    // `tell`: so much has been used, and there will not be enough; twice at most for each allowance.
    NetMeter(boost::asio::io_context& loop, std::function<void(std::uint64_t used)> tell, std::function<Clock::time_point()> now = Clock::now);

    void set(NetLimits limits);
    // How many of `wanted` bytes may be moved at once; 0: a turn has to be waited for, as others do.
    [[nodiscard]] std::size_t now(std::size_t wanted);
    // `turn` is called once, from the loop or from within set(), with how many bytes may be moved right then. Not after leave().
    [[nodiscard]] std::uint64_t wait(Turn turn);
    void leave(std::uint64_t place); // 0, and one that had its turn: without effect
    void moved(std::size_t bytes);   // of what was given
    void forgetLine() { m_line.clear(); }

    [[nodiscard]] std::uint64_t used() const { return m_used; }
    [[nodiscard]] std::size_t waiting() const { return m_line.size(); }

private:
    [[nodiscard]] std::optional<std::uint64_t> left() const; // of the allowance
    void fill();
    [[nodiscard]] double capacity() const;
    [[nodiscard]] double piece() const; // worth a turn
    [[nodiscard]] std::size_t ready();
    void serve();
    void serveLater();
    void tellIfUsedUp();

    boost::asio::steady_timer m_timer;
    std::function<void(std::uint64_t)> m_tell;
    std::function<Clock::time_point()> m_now;
    NetLimits m_limits;
    std::uint64_t m_used = 0;
    std::uint64_t m_given = 0; // by the last allowance
    bool m_toldHalf = false, m_toldAll = false;
    double m_bucket = 0;
    Clock::time_point m_filled;
    std::map<std::uint64_t, Turn> m_line; // by their coming
    std::uint64_t m_next = 1;
    bool m_serving = false;
    bool m_timed = false;
};

} // namespace carrel::clerk
