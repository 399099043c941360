// SPDX-License-Identifier: Apache-2.0
#include "tests/live/app/played_proxy.h"

#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::live {

namespace {

bool sendAll(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

// A head of HTTP's, up to and with its empty line.
std::optional<std::string> headFrom(int fd) {
    std::string head;
    char c = 0;
    while (!head.ends_with("\r\n\r\n")) {
        if (head.size() > 64 * 1024 || ::recv(fd, &c, 1, 0) != 1) {
            return std::nullopt;
        }
        head.push_back(c);
    }
    return head;
}

std::string secondWord(const std::string& head) {
    const auto begin = head.find(' ');
    return begin == std::string::npos ? std::string() : head.substr(begin + 1, head.find(' ', begin + 1) - begin - 1);
}

} // namespace

PlayedProxy::PlayedProxy() {
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!listener || ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 128) != 0 || ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return;
    }
    m_port = ntohs(address.sin_port);
    m_listener = std::move(listener);
    m_accepting = std::jthread([this] {
        while (!m_end) {
            UniqueFd connection(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!connection) {
                return;
            }
            const int fd = connection.get();
            const std::lock_guard lock(m_mutex);
            m_connections.push_back(std::move(connection));
            m_threads.emplace_back([this, fd] { serve(fd); });
        }
    });
}

PlayedProxy::~PlayedProxy() {
    m_end = true;
    if (m_listener) {
        (void)::shutdown(m_listener.get(), SHUT_RDWR);
        m_accepting.join();
    }
    std::vector<std::jthread> threads;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& each : m_connections) {
            (void)::shutdown(each.get(), SHUT_RDWR);
        }
        threads.swap(m_threads);
    }
}

std::string PlayedProxy::url() const {
    return "http://127.0.0.1:" + std::to_string(m_port);
}

std::vector<std::string> PlayedProxy::asked() const {
    const std::lock_guard lock(m_mutex);
    return m_asked;
}

void PlayedProxy::serve(int connection) {
    const auto head = headFrom(connection);
    if (head && head->starts_with("CONNECT ")) {
        const auto place = secondWord(*head);
        {
            const std::lock_guard lock(m_mutex);
            m_asked.push_back(place);
        }
        if (sendAll(connection, "HTTP/1.1 200 Connected\r\n\r\n")) {
            answer(connection, place);
        }
    }
    (void)::shutdown(connection, SHUT_RDWR);
}

void PlayedProxy::answer(int connection, const std::string& place) {
    for (;;) {
        const auto head = headFrom(connection);
        if (!head) {
            return;
        }
        const auto path = secondWord(*head);
        if (path == "/for-ever") { // a stream that ends when it is cut
            if (!sendAll(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")) {
                return;
            }
            while (!m_end && sendAll(connection, "data: tick\n\n")) {
                pollfd gone{connection, POLLIN | POLLRDHUP, 0};
                if (::poll(&gone, 1, 100) > 0) {
                    return;
                }
            }
            return;
        }
        const auto text = "here is " + place + path + "\n";
        if (!sendAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text)) {
            return;
        }
    }
}

} // namespace carrel::live
