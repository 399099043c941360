// SPDX-License-Identifier: Apache-2.0
// A server on the loopback interface that does with each connection what a test says; with TLS, by a certificate made for the occasion.
#pragma once

#include "guest/protocol/unique_fd.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <atomic>
#include <filesystem>
#include <functional>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>

namespace carrel::agent::test {

// A key and a self-signed certificate for one name: "DNS:localhost", "IP:127.0.0.1".
class Certificate {
public:
    explicit Certificate(const char* name)
        : m_key(::EVP_EC_gen("P-256"), &::EVP_PKEY_free)
        , m_certificate(::X509_new(), &::X509_free) {
        auto* certificate = m_certificate.get();
        ::X509_set_version(certificate, X509_VERSION_3);
        ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
        ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3600);
        ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 24L * 3600);
        ::X509_set_pubkey(certificate, m_key.get());
        auto* subject = ::X509_get_subject_name(certificate);
        ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("played server"), -1, -1, 0);
        ::X509_set_issuer_name(certificate, subject);
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        ::X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
        for (const auto& [kind, value] : {std::pair(NID_subject_alt_name, name), std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
            auto* extension = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value);
            ::X509_add_ext(certificate, extension, -1);
            ::X509_EXTENSION_free(extension);
        }
        if (::X509_sign(certificate, m_key.get(), ::EVP_sha256()) == 0) {
            throw std::runtime_error("no certificate");
        }
    }
    // As a folder of trusted certificates has it.
    void putInto(const std::filesystem::path& folder) const {
        char name[32];
        std::snprintf(name, sizeof name, "%08lx.0", ::X509_subject_name_hash(m_certificate.get()));
        auto* file = std::fopen((folder / name).c_str(), "w");
        ::PEM_write_X509(file, m_certificate.get());
        std::fclose(file);
    }
    [[nodiscard]] EVP_PKEY* key() const { return m_key.get(); }
    [[nodiscard]] X509* certificate() const { return m_certificate.get(); }

private:
    std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> m_key;
    std::unique_ptr<X509, decltype(&::X509_free)> m_certificate;
};

// One connection, on the server's thread.
class Line {
public:
    Line(UniqueFd socket, SSL* tls)
        : m_socket(std::move(socket))
        , m_tls(tls, &::SSL_free) {}
    // Head and body of one request; what came, where the peer goes before.
    std::string request() {
        std::string text;
        std::size_t whole = std::string::npos;
        while (text.size() < whole) {
            char space[4096];
            const auto got = read(space, sizeof space);
            if (got <= 0) {
                break;
            }
            text.append(space, static_cast<std::size_t>(got));
            if (const auto end = text.find("\r\n\r\n"); whole == std::string::npos && end != std::string::npos) {
                const auto length = text.find("Content-Length: ");
                whole = end + 4 + (length == std::string::npos ? 0 : std::stoul(text.substr(length + 16)));
            }
        }
        return text;
    }
    bool send(std::string_view text) {
        while (!text.empty()) {
            const auto sent = m_tls ? ::SSL_write(m_tls.get(), text.data(), static_cast<int>(text.size()))
                                    : static_cast<int>(::send(m_socket.get(), text.data(), text.size(), MSG_NOSIGNAL));
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void waitUntilPeerGoes() {
        char space[256];
        while (read(space, sizeof space) > 0) {
        }
    }

private:
    int read(char* space, std::size_t size) {
        return m_tls ? ::SSL_read(m_tls.get(), space, static_cast<int>(size)) : static_cast<int>(::recv(m_socket.get(), space, size, 0));
    }
    UniqueFd m_socket;
    std::unique_ptr<SSL, decltype(&::SSL_free)> m_tls;
};

class PlayedServer {
public:
    explicit PlayedServer(std::function<void(Line&)> plays, const Certificate* certificate = nullptr)
        : m_plays(std::move(plays))
        , m_listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
        , m_context(certificate == nullptr ? nullptr : ::SSL_CTX_new(::TLS_server_method()), &::SSL_CTX_free) {
        if (certificate != nullptr) {
            ::SSL_CTX_use_certificate(m_context.get(), certificate->certificate());
            ::SSL_CTX_use_PrivateKey(m_context.get(), certificate->key());
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(m_listener.get(), 8) != 0 ||
            ::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error("no listener");
        }
        m_port = ntohs(address.sin_port);
        m_thread = std::jthread([this] { serve(); });
    }
    ~PlayedServer() {
        ::shutdown(m_listener.get(), SHUT_RDWR); // accept() comes back
        m_thread.join();
    }
    PlayedServer(const PlayedServer&) = delete;
    PlayedServer& operator=(const PlayedServer&) = delete;
    [[nodiscard]] std::string port() const { return std::to_string(m_port); }
    [[nodiscard]] std::string address() const { return (m_context ? "https://127.0.0.1:" : "http://127.0.0.1:") + port(); }
    [[nodiscard]] int connections() const { return m_connections; }

private:
    void serve() {
        for (;;) {
            UniqueFd socket(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!socket) {
                return;
            }
            ++m_connections;
            SSL* tls = nullptr;
            if (m_context) {
                tls = ::SSL_new(m_context.get());
                ::SSL_set_fd(tls, socket.get());
                if (::SSL_accept(tls) != 1) {
                    ::SSL_free(tls);
                    continue;
                }
            }
            Line line(std::move(socket), tls);
            m_plays(line);
        }
    }
    std::function<void(Line&)> m_plays;
    UniqueFd m_listener;
    std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> m_context;
    std::uint16_t m_port = 0;
    std::atomic<int> m_connections = 0;
    std::jthread m_thread;
};

} // namespace carrel::agent::test
