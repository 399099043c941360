// SPDX-License-Identifier: Apache-2.0
// guestd's Channel on one end of a socket pair, and on the other the host's Mux, driven by the test's own
// thread.
#pragma once

#include "guest/guestd/channel.h"

#include <QByteArray>

#include <array>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::test {

class ChannelPair {
public:
    struct Stream {
        QByteArray bytes; // messages follow each other; the tests know what they wait for
        std::vector<QByteArray> pieces;
        bool ended = false;
        bool reset = false;
        bool stalled = false;
    };

    ChannelPair(std::function<StreamKind(std::uint32_t)> kinds, guestd::Channel::Options options)
        : m_kinds(std::move(kinds)) {
        int ends[2] = {-1, -1};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
            m_host = UniqueFd(ends[0]);
            ::fcntl(m_host.get(), F_SETFL, O_NONBLOCK);
            channel = std::make_unique<guestd::Channel>(UniqueFd(ends[1]), std::move(options));
        }
        m_mux = std::make_unique<Mux>(
            Side::Host,
            Mux::Events{.data =
                            [this](std::uint32_t id, Bytes&& data) {
                                auto& stream = streams[id];
                                const QByteArray piece(reinterpret_cast<const char*>(data.data()),
                                                       static_cast<qsizetype>(data.size()));
                                stream.bytes += piece;
                                stream.pieces.push_back(piece);
                                if (!stream.stalled) {
                                    m_owed[id] += data.size();
                                }
                            },
                        .end = [this](std::uint32_t id) { streams[id].ended = true; },
                        .reset = [this](std::uint32_t id, std::uint32_t) { streams[id].reset = true; },
                        .writable = {},
                        .epoch = [this](const Epoch&) { ++epochs; },
                        .spoilt = [this](std::string_view) { begin(); },
                        .accept = [this](std::uint32_t id) { return std::optional(m_kinds(id)); }});
        begin();
    }

    void begin() {
        std::array<std::byte, 20> random{};
        random.fill(std::byte{static_cast<unsigned char>(++m_begun)});
        streams.clear();
        m_owed.clear();
        m_pending.clear();
        m_mux->begin(Epoch::fromRandom(random));
    }

    // False when nothing happened for so long that it never will.
    bool until(const std::function<bool()>& done) {
        constexpr int kSilenceMs = 30000;
        for (;;) {
            pump();
            if (done()) {
                return true;
            }
            pollfd wait{m_host.get(), POLLIN, 0};
            if (::poll(&wait, 1, kSilenceMs) <= 0) {
                return false;
            }
        }
    }
    bool open() {
        return until([this] { return m_mux->isOpen(); });
    }
    Mux& mux() { return *m_mux; }

    std::unique_ptr<guestd::Channel> channel;
    std::map<std::uint32_t, Stream> streams;
    int epochs = 0;

private:
    void pump() {
        std::array<std::byte, 65536> buffer;
        for (;;) {
            const ssize_t got = ::read(m_host.get(), buffer.data(), buffer.size());
            if (got <= 0) {
                break;
            }
            m_mux->feed({buffer.data(), static_cast<std::size_t>(got)});
        }
        for (const auto& [id, bytes] : m_owed) {
            m_mux->consumed(id, bytes);
        }
        m_owed.clear();
        for (;;) {
            if (m_pending.empty()) {
                m_pending = m_mux->takeOutput();
            }
            const ssize_t done =
                m_pending.empty() ? 0 : ::write(m_host.get(), m_pending.data(), m_pending.size());
            if (done <= 0) {
                return;
            }
            m_pending.erase(m_pending.begin(), m_pending.begin() + done);
        }
    }

    std::function<StreamKind(std::uint32_t)> m_kinds;
    UniqueFd m_host;
    std::unique_ptr<Mux> m_mux;
    std::map<std::uint32_t, std::size_t> m_owed;
    Bytes m_pending;
    unsigned m_begun = 0;
};

} // namespace carrel::test
