// SPDX-License-Identifier: Apache-2.0
// A played end of TLS: OpenSSL on memory, as lenient or as odd as a test wants it.
#pragma once

#include "app/relay/end.h"
#include "app/relay/leaf_issuer.h"
#include "app/relay/openssl.h"

#include <functional>
#include <stdexcept>

namespace carrel::relay::test {

inline void must(bool holds, const char* what) {
    if (!holds) {
        throw std::runtime_error(what);
    }
}

class TlsPeer {
public:
    enum class Role { Client, Server };
    explicit TlsPeer(Role role, const std::function<void(SSL_CTX*)>& prepare = {})
        : m_context(::SSL_CTX_new(role == Role::Client ? ::TLS_client_method() : ::TLS_server_method())) {
        ::SSL_CTX_set_security_level(m_context.get(), 0);
        must(SSL_CTX_set_min_proto_version(m_context.get(), TLS1_VERSION) == 1, "no old TLS");
        if (prepare) {
            prepare(m_context.get());
        }
        m_ssl.reset(::SSL_new(m_context.get()));
        m_in = ::BIO_new(::BIO_s_mem());
        m_out = ::BIO_new(::BIO_s_mem());
        ::SSL_set_bio(m_ssl.get(), m_in, m_out);
        role == Role::Client ? ::SSL_set_connect_state(m_ssl.get()) : ::SSL_set_accept_state(m_ssl.get());
    }

    [[nodiscard]] SSL* ssl() { return m_ssl.get(); }
    void use(const Leaf& leaf) {
        must(::SSL_use_certificate(ssl(), leaf.certificate.get()) == 1 && ::SSL_use_PrivateKey(ssl(), leaf.key.get()) == 1, "no certificate");
    }
    void name(const char* host) { must(SSL_set_tlsext_host_name(ssl(), host) == 1, "no name"); }

    // One step: what it says next. `said` is what came to it in plain.
    Bytes step(ByteSpan wire, std::string& said) {
        if (!wire.empty()) {
            ::BIO_write(m_in, wire.data(), static_cast<int>(wire.size()));
        }
        ::ERR_clear_error();
        if (!::SSL_is_init_finished(ssl())) {
            const int done = ::SSL_do_handshake(ssl());
            failed = failed || (done != 1 && ::SSL_get_error(ssl(), done) == SSL_ERROR_SSL);
        }
        if (::SSL_is_init_finished(ssl()) && !toSay.empty()) {
            const int put = ::SSL_write(ssl(), toSay.data(), static_cast<int>(toSay.size()));
            toSay.erase(0, static_cast<std::size_t>(std::max(put, 0)));
        }
        char piece[16384];
        for (int got = 0; (got = ::SSL_read(ssl(), piece, sizeof piece)) > 0;) {
            said.append(piece, static_cast<std::size_t>(got));
        }
        const int error = ::SSL_get_error(ssl(), -1);
        failed = failed || (error == SSL_ERROR_SSL && ::ERR_peek_error() != 0);
        ended = ended || (::SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0;
        Bytes out(BIO_ctrl_pending(m_out));
        if (!out.empty()) {
            ::BIO_read(m_out, out.data(), static_cast<int>(out.size()));
        }
        return out;
    }

    std::string toSay;
    bool failed = false; // a fatal alert, or an error of its own
    bool ended = false;  // close_notify has come

private:
    ContextPtr m_context;
    SslPtr m_ssl;
    BIO* m_in = nullptr;
    BIO* m_out = nullptr;
};

// Both talk until neither has more to say. What came to the peer in plain.
inline std::string talk(TlsPeer& peer, End& end) {
    std::string said;
    for (int quiet = 0; quiet < 2;) {
        const Bytes fromEnd = end.takeOutput(1U << 20U);
        const Bytes fromPeer = peer.step(fromEnd, said);
        must(end.feed(fromPeer) == fromPeer.size(), "not all was taken");
        quiet = fromEnd.empty() && fromPeer.empty() ? quiet + 1 : 0;
    }
    return said;
}
inline std::string readAll(End& end) {
    ByteQueue queue;
    while (end.read(queue, 1U << 20U) > 0) {
    }
    return std::string(asText(queue.front()));
}

} // namespace carrel::relay::test
