// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_meter.h"

#include <algorithm>
#include <cmath>

namespace carrel::clerk {

NetMeter::NetMeter(boost::asio::io_context& loop, std::function<void(std::uint64_t)> tell, std::function<Clock::time_point()> now)
    : m_timer(loop)
    , m_tell(std::move(tell))
    , m_now(std::move(now))
    , m_filled(m_now()) {}

std::optional<std::uint64_t> NetMeter::left() const {
    return m_limits.most ? std::optional(*m_limits.most > m_used ? *m_limits.most - m_used : 0) : std::nullopt;
}

// What may come at once after a silence: a tenth of a second, and never so little that a turn is not worth its while.
double NetMeter::capacity() const {
    return std::max(static_cast<double>(m_limits.rate) / 10, 4096.0);
}

double NetMeter::piece() const {
    return std::min(capacity() / 4, static_cast<double>(kPiece));
}

void NetMeter::fill() {
    const auto now = m_now();
    m_bucket = std::min(capacity(), m_bucket + std::chrono::duration<double>(now - m_filled).count() * static_cast<double>(m_limits.rate));
    m_filled = now;
}

void NetMeter::set(NetLimits limits) {
    if (limits.rate != m_limits.rate) {
        m_bucket = 0; // what was saved up was another's
        m_filled = m_now();
    }
    const bool another = limits.most != m_limits.most;
    m_limits = limits;
    if (another) { // else it has been said
        m_given = left().value_or(0);
        m_toldHalf = m_toldAll = false;
    }
    serve();
}

std::size_t NetMeter::ready() {
    std::size_t out = kPiece;
    if (m_limits.rate != 0) {
        fill();
        out = m_bucket < piece() ? 0 : static_cast<std::size_t>(std::min(m_bucket, static_cast<double>(kPiece)));
    }
    return static_cast<std::size_t>(std::min<std::uint64_t>(out, left().value_or(out)));
}

std::size_t NetMeter::now(std::size_t wanted) {
    if (m_limits.rate == 0 && !m_limits.most) {
        return wanted;
    }
    const auto most = wanted == 0 || !m_line.empty() ? 0 : std::min(wanted, ready());
    if (wanted > 0) {
        tellIfUsedUp();
    }
    return most;
}

std::uint64_t NetMeter::wait(Turn turn) {
    const auto place = m_next++;
    m_line.emplace(place, std::move(turn));
    tellIfUsedUp();
    serveLater();
    return place;
}

void NetMeter::leave(std::uint64_t place) {
    m_line.erase(place);
}

void NetMeter::moved(std::size_t bytes) {
    if (bytes == 0) {
        return;
    }
    m_used += bytes;
    if (m_limits.rate != 0) {
        m_bucket -= static_cast<double>(bytes);
    }
    const auto rest = left();
    if (rest && *rest <= m_given / 2 && !std::exchange(m_toldHalf, true)) {
        m_tell(m_used);
    }
}

// Somebody wants what there is not.
void NetMeter::tellIfUsedUp() {
    if (left() == 0U && !std::exchange(m_toldAll, true)) {
        m_tell(m_used);
    }
}

void NetMeter::serve() {
    if (std::exchange(m_serving, true)) { // from within a turn
        return;
    }
    while (!m_line.empty()) {
        const auto most = ready();
        if (most == 0) {
            break;
        }
        const auto turn = std::move(m_line.extract(m_line.begin()).mapped());
        turn(m_limits.rate == 0 ? most : std::min(most, static_cast<std::size_t>(piece())));
    }
    m_serving = false;
    if (!m_line.empty()) {
        tellIfUsedUp();
        serveLater();
    }
}

// At once where there is something, when the bucket has enough for a turn, or not before the engine says more.
void NetMeter::serveLater() {
    if (m_timed || left() == 0U) {
        return;
    }
    std::chrono::duration<double> wait{0};
    if (m_limits.rate != 0) {
        fill();
        wait = std::chrono::duration<double>(std::max(0.0, piece() - m_bucket) / static_cast<double>(m_limits.rate));
    }
    m_timed = true;
    m_timer.expires_after(std::chrono::ceil<std::chrono::milliseconds>(wait));
    m_timer.async_wait([this](const boost::system::error_code& ec) { // the loop has no handler left when its desk is gone
        if (!ec) {
            m_timed = false;
            serve();
        }
    });
}

} // namespace carrel::clerk
