// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/line.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <cctype>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::test::model {

namespace http = boost::beast::http;

Line::Line(int socket, SSL_CTX* context)
    : m_socket(socket)
    , m_context(context) {}

bool Line::begin() {
    if (m_context == nullptr) {
        return true;
    }
    m_ssl.reset(::SSL_new(m_context));
    return m_ssl && ::SSL_set_fd(m_ssl.get(), m_socket) == 1 && ::SSL_accept(m_ssl.get()) == 1;
}

std::size_t Line::receive(char* into, std::size_t most) {
    const auto got = m_ssl ? ::SSL_read(m_ssl.get(), into, static_cast<int>(most)) : ::recv(m_socket, into, most, 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

Judged<std::unique_ptr<HttpRequest>> Line::read() {
    http::request_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(kMostBody);
    parser.header_limit(64 * 1024);
    bool begun = false; // this request: a client that leaves before is no error
    bool told = false;
    while (!parser.is_done()) {
        boost::beast::error_code failed;
        const auto used = m_in.empty() ? 0 : parser.put(boost::asio::buffer(m_in), failed);
        m_in.erase(0, used);
        if (failed && failed != http::error::need_more) {
            const bool large = failed == http::error::body_limit;
            return refuse(large ? "Request exceeds the maximum size" : "this is no HTTP: " + failed.message(), {}, {}, large ? 413 : 400);
        }
        if (parser.is_done()) {
            break;
        }
        if (parser.is_header_done() && !std::exchange(told, true) && parser.get()[http::field::expect] == "100-continue" &&
            !send("HTTP/1.1 100 Continue\r\n\r\n")) {
            return nullptr;
        }
        char piece[16384];
        const auto got = receive(piece, sizeof piece);
        if (got == 0) {
            if (begun || !m_in.empty()) {
                return refuse("the request ends in its middle");
            }
            return nullptr;
        }
        begun = true;
        m_in.append(piece, got);
    }
    auto request = std::make_unique<HttpRequest>();
    const auto& message = parser.get();
    request->method = std::string(message.method_string());
    request->target = std::string(message.target());
    for (const auto& field : message) {
        std::string name(field.name_string());
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        request->headers[name] = std::string(field.value());
    }
    request->body = message.body();
    return request;
}

bool Line::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto most = std::min<std::size_t>(bytes.size(), 1 << 20U);
        const auto sent = m_ssl ? ::SSL_write(m_ssl.get(), bytes.data(), static_cast<int>(most)) : ::send(m_socket, bytes.data(), most, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool Line::hasLeftBefore(int wake) const {
    pollfd both[] = {{m_socket, POLLIN | POLLRDHUP, 0}, {wake, POLLIN, 0}};
    while (::poll(both, 2, -1) < 0 && errno == EINTR) {
    }
    return both[0].revents != 0;
}

void Line::end() {
    if (m_ssl) {
        (void)::SSL_shutdown(m_ssl.get());
    }
}

} // namespace carrel::test::model
