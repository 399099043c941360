// SPDX-License-Identifier: Apache-2.0
#include "app/relay/tls_context.h"
#include "app/relay/tls_end.h"

namespace carrel::relay {

namespace {

constexpr std::string_view kProtocol = "http/1.1";

// The list of a ClientHello: each name after its length. OpenSSL has checked its form.
int chooseProtocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosenSize, const unsigned char* offered, unsigned size,
                   void* /*unused*/) {
    for (unsigned at = 0; at < size && at + offered[at] < size; at += offered[at] + 1U) {
        const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
        if (name == kProtocol) {
            *chosen = offered + at + 1;
            *chosenSize = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; // no_application_protocol
}

bool isAddress(const std::string& host) {
    const std::unique_ptr<ASN1_OCTET_STRING, Freeing<&ASN1_OCTET_STRING_free>> address(::a2i_IPADDRESS(host.c_str()));
    ::ERR_clear_error();
    return address != nullptr;
}

bool isSame(std::string_view given, std::string_view lowerCase) {
    return std::equal(given.begin(), given.end(), lowerCase.begin(), lowerCase.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

} // namespace

Result<ServerContext> ServerContext::create() {
    auto context = newTlsContext(::TLS_server_method());
    if (!context) {
        return fail(ErrorCode::Internal, "TLS towards an agent's programs could not be set up: " + takeOpenSslReason());
    }
    // Within this computer: the cheapest of those that are good. What comes from outside has been through another one already.
    ::SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (::SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1) {
        return fail(ErrorCode::Internal, "TLS towards an agent's programs could not be set up: " + takeOpenSslReason());
    }
    ::SSL_CTX_set_alpn_select_cb(context.get(), &chooseProtocol, nullptr);
    // Called for every ClientHello, one without a name too.
    using Callback = int (*)(SSL*, int*, void*);
    const Callback judge = [](SSL* ssl, int* alert, void* /*unused*/) {
        auto* end = static_cast<TlsServerEnd*>(SSL_get_app_data(ssl));
        if (end != nullptr && end->isNamedBy(::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))) {
            return SSL_TLSEXT_ERR_OK;
        }
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    };
    SSL_CTX_set_tlsext_servername_callback(context.get(), judge);
    return ServerContext(std::move(context));
}

Result<std::unique_ptr<TlsServerEnd>> TlsServerEnd::create(const ServerContext& context, const Leaf& leaf, std::string host) {
    ::ERR_clear_error();
    std::unique_ptr<TlsServerEnd> end(new TlsServerEnd(std::move(host)));
    if (!end->attach(context.get()) || ::SSL_use_certificate(end->m_ssl.get(), leaf.certificate.get()) != 1 ||
        ::SSL_use_PrivateKey(end->m_ssl.get(), leaf.key.get()) != 1) {
        return fail(ErrorCode::Internal, "TLS towards the program could not be begun: " + takeOpenSslReason());
    }
    SSL_set_app_data(end->m_ssl.get(), end.get());
    ::SSL_set_accept_state(end->m_ssl.get());
    return end;
}

bool TlsServerEnd::isNamedBy(const char* serverName) {
    if (serverName == nullptr) {
        m_named = isAddress(m_host) ? Named::Right : Named::Missing; // an address is never named (RFC 6066, section 3)
    } else {
        m_named = isSame(serverName, m_host) ? Named::Right : Named::Wrong;
    }
    return m_named == Named::Right;
}

std::string TlsServerEnd::faultOfHandshake() const {
    return m_named == Named::Right ? "" : explain("");
}

std::string TlsServerEnd::explain(const std::string& reason) const {
    switch (m_named) {
    case Named::Wrong:
        return "the program named another host in TLS (SNI) than the one it connected to";
    case Named::Missing:
        return "the program named no host in TLS (SNI)";
    default:
        return "TLS with the program failed (" + reason + ")";
    }
}

} // namespace carrel::relay
