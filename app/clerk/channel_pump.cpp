// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/channel_pump.h"

#include <boost/asio/post.hpp>

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace carrel::clerk {

namespace asio = boost::asio;

std::shared_ptr<ChannelPump> ChannelPump::create(asio::io_context& loop, UniqueFd fd, Peer peer, Mux::Events events,
                                                 Mux::Options options,
                                                 std::function<void(const std::string&)> closed) {
    std::shared_ptr<ChannelPump> pump(new ChannelPump(loop, std::move(fd), peer, std::move(closed)));
    const std::weak_ptr<ChannelPump> weak = pump;
    events.spoilt = [weak, outer = std::move(events.spoilt)](std::string_view why) {
        const auto self = weak.lock();
        if (!self) {
            return;
        }
        if (self->m_peer == Peer::LocalSocket) {
            self->giveUp("the other end does not keep to the protocol");
            return;
        }
        if (outer) {
            outer(why);
        }
        // Not here: this runs inside Mux::feed.
        self->m_epochWanted = true;
    };
    pump->m_mux = std::make_unique<Mux>(Side::Host, std::move(events), options);
    return pump;
}

ChannelPump::ChannelPump(asio::io_context& loop, UniqueFd fd, Peer peer,
                         std::function<void(const std::string&)> closed)
    : m_loop(loop)
    , m_stream(loop, fd.release())
    , m_peer(peer)
    , m_closed(std::move(closed))
    , m_readBuffer(256 * 1024) {
    m_stream.non_blocking(true);
}

void ChannelPump::start(std::uint32_t localTag) {
    if (m_peer == Peer::LocalSocket) {
        m_mux->beginLocal(localTag);
    } else {
        beginEpoch();
    }
    waitReadable();
    flushSoon();
}

void ChannelPump::beginEpoch() {
    m_epochWanted = false;
    const auto now = std::chrono::steady_clock::now();
    while (!m_epochs.empty() && now - m_epochs.front() > std::chrono::minutes(1)) {
        m_epochs.pop_front();
    }
    if (m_epochs.size() >= kMaxEpochsPerMinute) {
        giveUp("the guest spoilt the channel again and again");
        return;
    }
    m_epochs.push_back(now);
    std::array<std::byte, 20> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        giveUp("no random numbers for a new epoch");
        return;
    }
    // What is half written to the descriptor stays half written: the preamble of the hello spoils it. What was
    // not begun is dropped.
    if (m_written == 0) {
        m_output.clear();
    }
    m_mux->begin(Epoch::fromRandom(random));
    flushSoon();
}

void ChannelPump::restart() {
    if (std::exchange(m_epochWanted, true)) {
        return;
    }
    asio::post(m_loop, [self = shared_from_this()] {
        if (!self->m_over && self->m_epochWanted) {
            self->beginEpoch();
        }
    });
}

void ChannelPump::flushSoon() {
    if (m_flushPending || m_over) {
        return;
    }
    m_flushPending = true;
    asio::post(m_loop, [self = shared_from_this()] {
        self->m_flushPending = false;
        if (!self->m_over && !self->m_writeWaiting) {
            self->write();
        }
    });
}

void ChannelPump::write() {
    // A few rounds, then let other channels have a turn.
    for (int round = 0; round < 16 && !m_over; ++round) {
        if (m_written == m_output.size()) {
            m_output = m_mux->takeOutput();
            m_written = 0;
            if (m_output.empty()) {
                if (m_closing) {
                    close();
                }
                return;
            }
        }
        const auto put = ::write(m_stream.native_handle(), m_output.data() + m_written, m_output.size() - m_written);
        if (put >= 0) {
            m_written += static_cast<std::size_t>(put);
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            giveUp("the channel was closed at its other end");
            return;
        }
        m_writeWaiting = true;
        m_stream.async_wait(asio::posix::descriptor_base::wait_write,
                            [self = shared_from_this()](const boost::system::error_code& ec) {
                                self->m_writeWaiting = false;
                                if (!ec && !self->m_over) {
                                    self->write();
                                }
                            });
        return;
    }
    flushSoon();
}

void ChannelPump::waitReadable() {
    m_stream.async_wait(asio::posix::descriptor_base::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& ec) {
                            if (!ec && !self->m_over) {
                                self->onReadable();
                            }
                        });
}

void ChannelPump::onReadable() {
    // One read a turn keeps a flooding guest from starving the other channels.
    const auto got = ::read(m_stream.native_handle(), m_readBuffer.data(), m_readBuffer.size());
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        giveUp("the channel was closed at its other end");
        return;
    }
    if (got > 0) {
        const ByteSpan bytes(m_readBuffer.data(), static_cast<std::size_t>(got));
        m_mux->feed(bytes);
        if (m_over) {
            return;
        }
        if (m_epochWanted) {
            beginEpoch();
        }
        flushSoon();
    }
    if (!m_over) {
        waitReadable();
    }
}

void ChannelPump::giveUp(const std::string& why) {
    if (m_over) {
        return;
    }
    close();
    // Not inside whatever called us: the owner may drop this object.
    asio::post(m_loop, [self = shared_from_this(), why] {
        if (self->m_closed) {
            self->m_closed(why);
        }
    });
}

void ChannelPump::close() {
    m_over = true;
    boost::system::error_code ignored;
    m_stream.close(ignored);
}

void ChannelPump::closeAfterFlush() {
    m_closing = true;
    flushSoon();
}

} // namespace carrel::clerk
