// SPDX-License-Identifier: Apache-2.0
#include "app/api/async_call.h"

#include "app/api/socket_io.h"

#include <string>
#include <sys/socket.h>

namespace carrel::api {

namespace {
constexpr std::size_t kPiece = 64 * 1024;
constexpr int kPiecesAtOnce = 16;
} // namespace

Result<AsyncCall> AsyncCall::begin(const std::filesystem::path& socket, std::string_view verb, boost::json::object params) {
    auto fd = connectTo(socket, Blocking::No);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    AsyncCall call(std::move(*fd), Exchange(1, verb, std::move(params)));
    call.writable();
    return call;
}

void AsyncCall::writable() {
    const auto& request = m_exchange.request();
    while (wantsToWrite()) {
        const ssize_t sent = ::send(m_socket.get(), request.data() + m_sent, request.size() - m_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            m_sent = request.size(); // a refused connection has its reason waiting for us
        }
        if (sent <= 0) {
            return;
        }
        m_sent += static_cast<std::size_t>(sent);
    }
}

std::optional<Result<boost::json::value>> AsyncCall::readable(const Listener& listener) {
    std::string buffer(kPiece, '\0');
    for (int piece = 0; piece < kPiecesAtOnce; ++piece) {
        const auto got = receiveSome(m_socket.get(), buffer.data(), buffer.size(), &m_descriptor);
        if (!got && (got.error().sysErrno == EAGAIN || got.error().sysErrno == EWOULDBLOCK)) {
            return std::nullopt;
        }
        if (!got || *got == 0) {
            return fail(Exchange::wentAway());
        }
        std::string_view bytes(buffer.data(), *got);
        if (auto answer = m_exchange.take(bytes, listener)) {
            return answer;
        }
    }
    return std::nullopt;
}

} // namespace carrel::api
