// SPDX-License-Identifier: Apache-2.0
#include "tests/live/app/played_proxy.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <chrono>
#include <csignal>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::live {

namespace {

std::string secondWord(const std::string& head) {
    const auto begin = head.find(' ');
    return begin == std::string::npos ? std::string() : head.substr(begin + 1, head.find(' ', begin + 1) - begin - 1);
}

} // namespace

constexpr std::size_t kMostBody = 64 << 20U;

std::string PlayedRequest::field(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at != std::string::npos && at + 4 < head.size(); at = head.find("\r\n", at + 2)) {
        const auto end = head.find("\r\n", at + 2);
        const auto line = head.substr(at + 2, end - at - 2);
        const auto colon = line.find(':');
        std::string own = line.substr(0, colon);
        std::transform(own.begin(), own.end(), own.begin(), [](unsigned char c) { return std::tolower(c); });
        if (own == name) {
            return line.substr(line.find_first_not_of(' ', colon + 1));
        }
    }
    return {};
}

std::string playedResponse(int status, std::string_view type, std::string_view body) {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: ";
    out += type;
    out += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    out += body;
    return out;
}

class PlayedProxy::Line {
public:
    explicit Line(int fd)
        : m_fd(fd) {}
    [[nodiscard]] bool beginTls(const relay::Leaf& leaf) {
        m_context.reset(::SSL_CTX_new(::TLS_server_method()));
        m_ssl.reset(::SSL_new(m_context.get()));
        return m_ssl && ::SSL_use_certificate(m_ssl.get(), leaf.certificate.get()) == 1 &&
               ::SSL_use_PrivateKey(m_ssl.get(), leaf.key.get()) == 1 && ::SSL_set_fd(m_ssl.get(), m_fd) == 1 && ::SSL_accept(m_ssl.get()) == 1;
    }
    [[nodiscard]] bool send(std::string_view text) {
        while (!text.empty()) {
            const auto sent = m_ssl ? ::SSL_write(m_ssl.get(), text.data(), static_cast<int>(text.size()))
                                    : ::send(m_fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // A head of HTTP's, up to and with its empty line.
    [[nodiscard]] std::optional<std::string> head() {
        std::string head;
        char c = 0;
        while (!head.ends_with("\r\n\r\n")) {
            if (head.size() > 64 * 1024 || (m_ssl ? ::SSL_read(m_ssl.get(), &c, 1) : ::recv(m_fd, &c, 1, 0)) != 1) {
                return std::nullopt;
            }
            head.push_back(c);
        }
        return head;
    }
    [[nodiscard]] bool take(std::string& into, std::size_t bytes) {
        for (char piece[16384]; bytes > 0;) {
            const auto most = std::min(bytes, sizeof piece);
            const auto got = m_ssl ? ::SSL_read(m_ssl.get(), piece, static_cast<int>(most)) : ::recv(m_fd, piece, most, 0);
            if (got <= 0 || into.size() > kMostBody) {
                return false;
            }
            into.append(piece, static_cast<std::size_t>(got));
            bytes -= static_cast<std::size_t>(got);
        }
        return true;
    }
    [[nodiscard]] std::optional<std::string> line() {
        std::string out;
        while (!out.ends_with("\r\n")) {
            if (!take(out, 1)) {
                return std::nullopt;
            }
        }
        return out;
    }
    [[nodiscard]] bool isGoneWithin(int ms) const {
        pollfd gone{m_fd, POLLIN | POLLRDHUP, 0};
        return ::poll(&gone, 1, ms) > 0;
    }

private:
    int m_fd;
    relay::ContextPtr m_context;
    relay::SslPtr m_ssl;
};

PlayedProxy::PlayedProxy() {
    const auto now = std::chrono::system_clock::now();
    if (auto authority = relay::makeAuthority("a test", now)) {
        m_authority = std::move(*authority);
    }
    if (auto issuer = relay::LeafIssuer::create(m_authority.certificatePem, relay::view(m_authority.keyPem))) {
        m_issuer = std::move(*issuer);
    }
    (void)std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
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

std::vector<std::string> PlayedProxy::requests() const {
    const std::lock_guard lock(m_mutex);
    return m_requests;
}

void PlayedProxy::serve(int connection) {
    Line plain(connection);
    const auto head = plain.head();
    if (head && head->starts_with("CONNECT ")) {
        const auto place = secondWord(*head);
        std::shared_ptr<const relay::Leaf> leaf;
        {
            const std::lock_guard lock(m_mutex);
            m_asked.push_back(place);
            if (place.ends_with(":443") && m_issuer) {
                const auto host = place.starts_with("wrong.") ? std::string("another.example") : place.substr(0, place.rfind(':'));
                leaf = m_issuer->leafFor(host, std::chrono::system_clock::now()).value_or(nullptr);
            }
        }
        if (plain.send("HTTP/1.1 200 Connected\r\n\r\n")) {
            if (!leaf) {
                answer(plain, place);
            } else if (Line tls(connection); tls.beginTls(*leaf)) {
                answer(tls, place);
            }
        }
    }
    (void)::shutdown(connection, SHUT_RDWR);
}

void PlayedProxy::putUp(const std::string& place, PlayedSite site) {
    const std::lock_guard lock(m_mutex);
    m_sites[place] = std::move(site);
}

bool PlayedProxy::answerFor(Line& line, const PlayedSite& site, const std::string& head) {
    PlayedRequest request{head.substr(0, head.find(' ')), secondWord(head), head, {}};
    if (request.field("expect") == "100-continue" && !line.send("HTTP/1.1 100 Continue\r\n\r\n")) {
        return false;
    }
    if (const auto length = request.field("content-length"); !length.empty()) {
        if (!line.take(request.body, std::stoul(length))) {
            return false;
        }
    } else if (request.field("transfer-encoding") == "chunked") {
        for (std::size_t size = 1; size > 0;) {
            const auto first = line.line();
            std::string end;
            if (!first || !line.take(request.body, size = std::stoul(*first, nullptr, 16)) || !line.take(end, 2)) {
                return false;
            }
        }
    }
    auto answer = site(request);
    return line.send(request.method == "HEAD" ? answer.substr(0, answer.find("\r\n\r\n") + 4) : answer);
}

void PlayedProxy::answer(Line& line, const std::string& place) {
    const auto site = [&] {
        const std::lock_guard lock(m_mutex);
        const auto at = m_sites.find(place);
        return at == m_sites.end() ? PlayedSite() : at->second;
    }();
    while (const auto head = line.head()) {
        {
            const std::lock_guard lock(m_mutex);
            m_requests.push_back(place + "\n" + *head);
        }
        if (site) {
            if (!answerFor(line, site, *head)) {
                return;
            }
            continue;
        }
        const auto path = secondWord(*head);
        if (path == "/for-ever") {
            if (!line.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")) {
                return;
            }
            while (!m_end && line.send("data: tick\n\n") && !line.isGoneWithin(100)) {
            }
            return;
        }
        const auto text = path == "/echo" ? *head : "here is " + place + path + "\n";
        if (!line.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text) ||
            PlayedRequest{{}, {}, *head, {}}.field("connection") == "close") {
            return;
        }
    }
}

} // namespace carrel::live
