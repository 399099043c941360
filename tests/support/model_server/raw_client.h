// SPDX-License-Identifier: Apache-2.0
// A client of the tests' own for a ModelServer: it writes what it is told and reads bytes, so that what the server says is judged by
// nothing of the server's. It waits for bytes, with a guard against a hang. Thread: one.
#pragma once

#include "tests/support/model_server/model_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

namespace carrel::test::model {

// JSON with ' for ", because moc knows no raw strings.
inline std::string q(std::string text) {
    std::replace(text.begin(), text.end(), '\'', '"');
    return text;
}

struct RawAnswer {
    int status = 0;
    std::string head;                // with its empty line
    std::string body;                // without its coding of transfer
    std::vector<std::string> chunks; // of a body in chunks
    bool whole = false;              // it ended as its head promised
};

class RawClient {
public:
    // With TLS where `trusted`, a certificate, is given: the server must be the one of `host`.
    explicit RawClient(std::uint16_t port, const std::string& trusted = {}, const std::string& host = "localhost")
        : m_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval guard{kGuard.count(), 0};
        if (::setsockopt(m_socket.get(), SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard) != 0 ||
            ::connect(m_socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("the model server is not there");
        }
        if (!trusted.empty()) {
            beginTls(trusted, host);
        }
    }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = m_ssl ? ::SSL_write(m_ssl.get(), bytes.data(), static_cast<int>(bytes.size()))
                                    : ::send(m_socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                throw std::runtime_error("the model server does not take it");
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // All until and with `mark`; shorter: the connection ended.
    std::string readUntil(std::string_view mark) {
        auto end = m_in.find(mark);
        while (end == std::string::npos && more()) {
            end = m_in.find(mark);
        }
        return take(end == std::string::npos ? m_in.size() : end + mark.size());
    }
    std::string readBytes(std::size_t count) {
        while (m_in.size() < count && more()) {
        }
        return take(std::min(count, m_in.size()));
    }
    std::string readToEnd() {
        while (more()) {
        }
        return take(m_in.size());
    }
    RawAnswer readAnswer() {
        RawAnswer answer;
        answer.head = readUntil("\r\n\r\n");
        if (answer.head.size() < 12) {
            return answer;
        }
        answer.status = std::stoi(answer.head.substr(9, 3));
        if (answer.head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos) {
            readChunks(answer);
            return answer;
        }
        constexpr std::string_view kLength = "\r\nContent-Length: ";
        const auto at = answer.head.find(kLength);
        if (at != std::string::npos) {
            const auto length = std::stoul(answer.head.substr(at + kLength.size()));
            answer.body = readBytes(length);
            answer.whole = answer.body.size() == length;
        }
        return answer;
    }
    void stopSending() const { (void)::shutdown(m_socket.get(), SHUT_WR); }
    // With TLS: the server said that nothing follows.
    [[nodiscard]] bool endedInOrder() const { return (::SSL_get_shutdown(m_ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
    void leave() {
        m_ssl.reset();
        m_socket.reset();
    }

private:
    void readChunks(RawAnswer& answer) {
        for (;;) {
            const auto line = readUntil("\r\n");
            const auto size = line.ends_with("\r\n") ? std::stoul(line, nullptr, 16) : 0;
            const auto bytes = readBytes(size);
            const auto end = readUntil("\r\n");
            if (!bytes.empty()) {
                answer.chunks.push_back(bytes);
                answer.body += bytes;
            }
            if (bytes.size() != size || end != "\r\n" || line.empty()) {
                return;
            }
            if (size == 0) {
                answer.whole = true;
                return;
            }
        }
    }
    bool more() {
        char piece[16384];
        const auto got = m_ssl ? ::SSL_read(m_ssl.get(), piece, sizeof piece) : ::recv(m_socket.get(), piece, sizeof piece, 0);
        if (got > 0) {
            m_in.append(piece, static_cast<std::size_t>(got));
        }
        return got > 0;
    }
    std::string take(std::size_t count) {
        auto taken = m_in.substr(0, count);
        m_in.erase(0, count);
        return taken;
    }
    void beginTls(const std::string& trusted, const std::string& host) {
        m_context.reset(::SSL_CTX_new(::TLS_client_method()));
        const std::unique_ptr<BIO, decltype(&::BIO_free)> text(::BIO_new_mem_buf(trusted.data(), static_cast<int>(trusted.size())), &::BIO_free);
        const std::unique_ptr<X509, decltype(&::X509_free)> authority(::PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &::X509_free);
        ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(m_context.get()), authority.get());
        ::SSL_CTX_set_verify(m_context.get(), SSL_VERIFY_PEER, nullptr);
        m_ssl.reset(::SSL_new(m_context.get()));
        ::SSL_set1_host(m_ssl.get(), host.c_str());
        ::SSL_set_fd(m_ssl.get(), m_socket.get());
        if (::SSL_connect(m_ssl.get()) != 1) {
            throw std::runtime_error("no TLS with the model server");
        }
    }

    struct Free {
        void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
        void operator()(SSL* ssl) const { ::SSL_free(ssl); }
    };
    UniqueFd m_socket;
    std::unique_ptr<SSL_CTX, Free> m_context;
    std::unique_ptr<SSL, Free> m_ssl;
    std::string m_in;
};

inline constexpr std::string_view kAnthropicHeaders = "x-api-key: a-key\r\nanthropic-version: 2026-10-21\r\nContent-Type: application/json\r\n";
inline constexpr std::string_view kOpenAiHeaders = "Authorization: Bearer a-key\r\nContent-Type: application/json\r\n";
inline const std::string kHello = q("{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'hello'}]}");
inline const std::string kHelloStreamed = q("{'model':'m','max_tokens':9,'stream':true,'messages':[{'role':'user','content':'hello'}]}");

inline std::string requestOf(std::string_view line, std::string_view headers, std::string_view body) {
    return std::string(line) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}
inline std::string anthropic(std::string_view body) {
    return requestOf("POST /v1/messages", kAnthropicHeaders, body);
}
inline std::string openAi(std::string_view body) {
    return requestOf("POST /v1/chat/completions", kOpenAiHeaders, body);
}
inline RawAnswer ask(const ModelServer& server, const std::string& request) {
    RawClient client(server.port());
    client.send(request);
    return client.readAnswer();
}

// A server of the key "a-key" and the model "m"; `turns` and `more` are JSON. It throws where the scenario is not good.
inline std::unique_ptr<ModelServer> serverOf(const std::string& turns, const std::string& more = {}, ModelServerOptions options = {}) {
    auto scenario = parseScenario(q("{'key':'a-key','models':['m'],'turns':[") + turns + "]" + more + "}");
    if (!scenario) {
        throw std::runtime_error(scenario.error().text());
    }
    auto server = ModelServer::start(std::move(*scenario), std::move(options));
    if (!server) {
        throw std::runtime_error(server.error().text());
    }
    return std::move(*server);
}
inline std::string saying(const std::string& content) {
    return q("{'answer':{'content':[") + content + "]}}";
}

} // namespace carrel::test::model
