// SPDX-License-Identifier: Apache-2.0
// The caller's end of the local interface. Blocking, one request at a time. Destroying it closes the
// connection, which cancels a request under way. Thread: one owner.
#pragma once

#include "app/api/exchange.h"
#include "app/api/wire.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace carrel::api {

class Client {
public:
    // Unavailable: nobody listens there (no engine). Refused: another user's process listens there.
    [[nodiscard]] static Result<Client> connect(const std::filesystem::path& socket);

    // The result, or the engine's error. Unavailable: the engine went away before it answered; whether the
    // verb had its effect is then unknown.
    [[nodiscard]] Result<boost::json::value> call(std::string_view verb, boost::json::object params,
                                                  const Listener& listener = {});
    // The descriptor that came with the last response; empty when none did.
    [[nodiscard]] UniqueFd takeDescriptor() { return std::move(m_descriptor); }
    [[nodiscard]] int descriptor() const { return m_socket.get(); }

private:
    explicit Client(UniqueFd socket)
        : m_socket(std::move(socket)) {}
    UniqueFd m_socket;
    std::string m_buffer;
    std::size_t m_bufferAt = 0;
    UniqueFd m_descriptor;
    std::uint64_t m_lastId = 0;
};

} // namespace carrel::api
