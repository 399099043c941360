// SPDX-License-Identifier: Apache-2.0
#include "app/relay/tls_context.h"

namespace carrel::relay {

ContextPtr newTlsContext(const SSL_METHOD* method) {
    prepareOpenSsl();
    ::ERR_clear_error();
    ContextPtr context(::SSL_CTX_new(method));
    // Level 2: 112 bits, no SHA-1 (SSL_CTX_set_security_level(3ssl)). ECDHE alone: what was recorded stays closed.
    constexpr int kLevel = 2;
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
        ::SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        return nullptr;
    }
    ::SSL_CTX_set_security_level(context.get(), kLevel);
    ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    ::SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    // Buffers only while they are needed: an idle connection is cheap.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

} // namespace carrel::relay
