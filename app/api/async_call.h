// SPDX-License-Identifier: Apache-2.0
// One request of a caller that never blocks, on a connection of its own: the owner waits for its descriptor in its event loop, and
// tells it what poll(2) said. Destroying it closes the connection, which calls the request off. Thread: one owner.
#pragma once

#include "app/api/exchange.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <filesystem>
#include <optional>

namespace carrel::api {

class AsyncCall {
public:
    // Unavailable, Refused, LimitExceeded (try again in a moment): as of connectTo in socket_io.h.
    [[nodiscard]] static Result<AsyncCall> begin(const std::filesystem::path& socket, std::string_view verb, boost::json::object params);

    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    // Poll for writing, too.
    [[nodiscard]] bool wantsToWrite() const { return m_sent < m_exchange.request().size(); }
    void writable();
    // The answer once it is there; nothing: wait on. Unavailable: the engine went away, and whether the verb had its effect is unknown.
    // At most 1 MiB of what came is looked at, so that one call does not hold its thread up; poll(2) tells of the rest.
    [[nodiscard]] std::optional<Result<boost::json::value>> readable(const Listener& listener);
    // The descriptor that came with the answer; empty when none did.
    [[nodiscard]] UniqueFd takeDescriptor() { return std::move(m_descriptor); }

private:
    AsyncCall(UniqueFd socket, Exchange exchange)
        : m_socket(std::move(socket))
        , m_exchange(std::move(exchange)) {}

    UniqueFd m_socket;
    Exchange m_exchange;
    std::size_t m_sent = 0;
    UniqueFd m_descriptor;
};

} // namespace carrel::api
