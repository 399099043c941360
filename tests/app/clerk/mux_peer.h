// SPDX-License-Identifier: Apache-2.0
// The other end of one of the clerk's channels, or of the local socket that a command line holds: a Mux on a
// descriptor, driven by the test's own thread.
#pragma once

#include "guest/protocol/mux.h"
#include "guest/protocol/net_wire.h"
#include "guest/protocol/unique_fd.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <string>
#include <unistd.h>

namespace carrel::clerk::test {

class MuxPeer {
public:
    struct Stream {
        std::string bytes;
        std::vector<std::string> messages;
        bool ended = false;
        bool reset = false;
        std::size_t owed = 0; // taken and not yet given back
    };

    MuxPeer(UniqueFd fd, Side side)
        : m_fd(std::move(fd))
        , m_mux(side, {.data =
                           [this](std::uint32_t id, Bytes&& data) {
                               auto& stream = streams[id];
                               stream.messages.emplace_back(asText(data));
                               stream.bytes += asText(data);
                               stream.owed += data.size();
                           },
                       .end = [this](std::uint32_t id) { streams[id].ended = true; },
                       .reset = [this](std::uint32_t id, std::uint32_t) { streams[id].reset = true; },
                       .writable = {},
                       .epoch = {},
                       .spoilt = {},
                       .accept =
                           [](std::uint32_t id) { // what the host opens on the network channel is bytes
                               return std::optional(id % 4 == 0 && id < net::kFirstHostStream ? StreamKind::Messages : StreamKind::Bytes);
                           }}) {
        (void)::fcntl(m_fd.get(), F_SETFL, O_NONBLOCK);
    }

    // Takes and writes what can be taken and written now. True when something moved.
    bool pump() {
        bool moved = false;
        std::array<std::byte, 65536> buffer;
        for (;;) {
            const ssize_t got = ::read(m_fd.get(), buffer.data(), buffer.size());
            if (got <= 0) {
                closed = closed || got == 0 || (errno != EAGAIN && errno != EINTR);
                break;
            }
            moved = true;
            m_mux.feed({buffer.data(), static_cast<std::size_t>(got)});
        }
        for (;;) {
            if (m_pending.empty()) {
                m_pending = m_mux.takeOutput();
            }
            const ssize_t put =
                m_pending.empty() ? 0 : ::write(m_fd.get(), m_pending.data(), m_pending.size());
            if (put <= 0) {
                return moved;
            }
            moved = true;
            m_pending.erase(m_pending.begin(), m_pending.begin() + put);
        }
    }
    void giveBack(std::uint32_t id) { m_mux.consumed(id, std::exchange(streams[id].owed, 0)); }
    void hangUp() { m_fd.reset(); }
    [[nodiscard]] int fd() const { return m_fd.get(); }
    Mux& mux() { return m_mux; }

    std::map<std::uint32_t, Stream> streams;
    bool closed = false;

private:
    UniqueFd m_fd;
    Mux m_mux;
    Bytes m_pending;
};

} // namespace carrel::clerk::test
