// SPDX-License-Identifier: Apache-2.0
// A connection with one client, with TLS or without: whole requests of HTTP/1.1 (RFC 9112) in, bytes out. It blocks; what ends it
// from outside is shutdown(2) of its socket. Ownership: borrows the socket and the context. Thread: one, with SIGPIPE blocked:
// OpenSSL writes without MSG_NOSIGNAL.
#pragma once

#include "tests/support/model_server/exchange.h"

#include <openssl/ssl.h>

#include <memory>

namespace carrel::test::model {

inline constexpr std::size_t kMostBody = 32 << 20U; // bytes, as Anthropic has it

class Line {
public:
    // A null `context`: without TLS.
    Line(int socket, SSL_CTX* context);
    // The handshake; true without TLS.
    [[nodiscard]] bool begin();
    // Null: the client has left. The error: it is no HTTP, or too large (413).
    [[nodiscard]] Judged<std::unique_ptr<HttpRequest>> read();
    [[nodiscard]] bool send(std::string_view bytes);
    // Waits until the client leaves (true), whatever it sends counts as that, or until `wake` can be read (false).
    [[nodiscard]] bool hasLeftBefore(int wake) const;
    // Tells the other end that nothing follows, which a cut connection does not.
    void end();

private:
    [[nodiscard]] std::size_t receive(char* into, std::size_t most);

    struct FreeSsl {
        void operator()(SSL* ssl) const { ::SSL_free(ssl); }
    };
    int m_socket;
    SSL_CTX* m_context;
    std::unique_ptr<SSL, FreeSsl> m_ssl;
    std::string m_in; // read and not yet used
};

} // namespace carrel::test::model
