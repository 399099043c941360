// SPDX-License-Identifier: Apache-2.0
#include "app/api/client.h"

#include "app/api/socket_io.h"

#include <unistd.h>

namespace carrel::api {

namespace json = boost::json;

Result<Client> Client::connect(const std::filesystem::path& socket) {
    auto fd = connectTo(socket, Blocking::Yes);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    return Client(std::move(*fd));
}

Result<json::value> Client::call(std::string_view verb, json::object params, const Listener& listener) {
    Exchange exchange(++m_lastId, verb, std::move(params));
    m_descriptor.reset();
    // A refused connection has its reason waiting for us, though writing to it fails.
    (void)sendAll(m_socket.get(), exchange.request());
    for (;;) {
        std::string_view rest = std::string_view(m_buffer).substr(m_bufferAt);
        const auto before = rest.size();
        auto answer = exchange.take(rest, listener);
        m_bufferAt += before - rest.size();
        if (answer) {
            return std::move(*answer);
        }
        m_buffer.resize(64 * 1024);
        auto got = receiveSome(m_socket.get(), m_buffer.data(), m_buffer.size(), &m_descriptor);
        m_buffer.resize(got ? *got : 0);
        m_bufferAt = 0;
        if (!got || *got == 0) {
            return fail(Exchange::wentAway());
        }
    }
}

} // namespace carrel::api
