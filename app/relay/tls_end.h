// SPDX-License-Identifier: Apache-2.0
// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) by OpenSSL on memory: towards a program, as the host that it asked for (TlsServerEnd), and
// towards that host (TlsClientEnd). Neither renegotiates, resumes a session or compresses, and both speak http/1.1 alone (ALPN,
// RFC 7301).
//
// Ownership: a context is one per agent and outlives its ends. Thread: one for a context and all its ends.
#pragma once

#include "app/relay/end.h"
#include "app/relay/leaf_issuer.h"
#include "app/relay/openssl.h"

#include <memory>

namespace carrel::relay {

inline constexpr std::size_t kMaxRootsPem = 4 * 1024 * 1024; // those of Debian have 0.2 MiB

class TlsEnd : public End {
public:
    [[nodiscard]] std::size_t feed(ByteSpan wire) override;
    void feedEnd() override;
    [[nodiscard]] Bytes takeOutput(std::size_t most) override;
    [[nodiscard]] bool hasOutput() const override;
    [[nodiscard]] std::size_t read(ByteQueue& into, std::size_t most) override;
    [[nodiscard]] std::size_t write(ByteSpan plain) override;
    void close() override;
    [[nodiscard]] PeerEnd peerEnd() const override { return m_peerEnd; }
    void rest() override;
    [[nodiscard]] State state() const override { return m_state; }
    [[nodiscard]] const std::string& why() const override { return m_why; }

protected:
    TlsEnd() = default;
    [[nodiscard]] bool attach(SSL_CTX* context); // false: no memory
    void shakeHands();
    void failWith(std::string why);
    // Empty: the handshake that has just ended is as it should be.
    [[nodiscard]] virtual std::string faultOfHandshake() const = 0;
    [[nodiscard]] virtual std::string explain(const std::string& reason) const = 0;

    SslPtr m_ssl;

private:
    void noteError(int code);

    BIO* m_in = nullptr; // the SSL's
    BIO* m_out = nullptr;
    State m_state = State::Opening;
    PeerEnd m_peerEnd = PeerEnd::No;
    std::string m_why;
    bool m_wireEnded = false;
    bool m_closed = false;
};

// What all ends towards the programs of one agent share.
class ServerContext {
public:
    [[nodiscard]] static Result<ServerContext> create();
    [[nodiscard]] SSL_CTX* get() const { return m_context.get(); }

private:
    explicit ServerContext(ContextPtr context) : m_context(std::move(context)) {}
    ContextPtr m_context;
};

// The program must name the host (SNI, RFC 6066), or, where that is an address, no other; else the handshake fails.
class TlsServerEnd final : public TlsEnd {
public:
    [[nodiscard]] static Result<std::unique_ptr<TlsServerEnd>> create(const ServerContext& context, const Leaf& leaf, std::string host);

private:
    friend class ServerContext;
    explicit TlsServerEnd(std::string host) : m_host(std::move(host)) {}
    [[nodiscard]] std::string faultOfHandshake() const override;
    [[nodiscard]] std::string explain(const std::string& reason) const override;
    [[nodiscard]] bool isNamedBy(const char* serverName);

    std::string m_host;
    enum class Named { Unasked, Right, Wrong, Missing } m_named = Named::Unasked;
};

// What all ends towards hosts share: the roots that this computer trusts, and nothing else.
class ClientContext {
public:
    // Malformed: no certificate in it, or one that cannot be read. LimitExceeded: longer than kMaxRootsPem.
    [[nodiscard]] static Result<ClientContext> create(std::string_view rootsPem);
    [[nodiscard]] SSL_CTX* get() const { return m_context.get(); }

private:
    explicit ClientContext(ContextPtr context) : m_context(std::move(context)) {}
    ContextPtr m_context;
};

// Open only once the host's chain leads to a root and its certificate names the host (RFC 6125: in
// subjectAltName; partial wildcards do not count).
class TlsClientEnd final : public TlsEnd {
public:
    // Its ClientHello is there to be taken at once.
    [[nodiscard]] static Result<std::unique_ptr<TlsClientEnd>> create(const ClientContext& context, const std::string& host);

private:
    TlsClientEnd() = default;
    [[nodiscard]] std::string faultOfHandshake() const override;
    [[nodiscard]] std::string explain(const std::string& reason) const override;
};

} // namespace carrel::relay
