// SPDX-License-Identifier: Apache-2.0
#include "app/relay/tls_context.h"
#include "app/relay/tls_end.h"

#include <optional>

#include <openssl/pem.h>

namespace carrel::relay {

namespace {

constexpr unsigned char kProtocols[] = "\x08http/1.1";

// How many; nullopt: one of them cannot be read.
std::optional<std::size_t> addRoots(X509_STORE* store, std::string_view pem) {
    const BioPtr text(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::size_t count = 0;
    for (; text; ++count) {
        const CertificatePtr root(::PEM_read_bio_X509_AUX(text.get(), nullptr, nullptr, nullptr));
        if (!root) {
            const bool atEnd = ERR_GET_REASON(::ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ::ERR_clear_error();
            return atEnd ? std::optional(count) : std::nullopt;
        }
        if (::X509_STORE_add_cert(store, root.get()) != 1) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

} // namespace

Result<ClientContext> ClientContext::create(std::string_view rootsPem) {
    if (rootsPem.size() > kMaxRootsPem) {
        return fail(ErrorCode::LimitExceeded, "The list of trusted certificates is longer than 4 MiB",
                    "Look at what this computer's list of certificate authorities is");
    }
    auto context = newTlsContext(::TLS_client_method());
    if (!context) {
        return fail(ErrorCode::Internal, "TLS towards hosts could not be set up: " + takeOpenSslReason());
    }
    const auto roots = addRoots(::SSL_CTX_get_cert_store(context.get()), rootsPem);
    if (!roots || *roots == 0) {
        return fail(ErrorCode::Malformed, "The list of trusted certificates cannot be read, or is empty",
                    "Install the package ca-certificates, or look at what this computer's list of certificate authorities is");
    }
    ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (::SSL_CTX_set_alpn_protos(context.get(), kProtocols, sizeof kProtocols - 1) != 0) {
        return fail(ErrorCode::Internal, "TLS towards hosts could not be set up: " + takeOpenSslReason());
    }
    return ClientContext(std::move(context));
}

Result<std::unique_ptr<TlsClientEnd>> TlsClientEnd::create(const ClientContext& context, const std::string& host) {
    ::ERR_clear_error();
    std::unique_ptr<TlsClientEnd> end(new TlsClientEnd);
    if (!end->attach(context.get())) {
        return fail(ErrorCode::Internal, "TLS towards the host could not be begun: " + takeOpenSslReason());
    }
    auto* ssl = end->m_ssl.get();
    auto* rules = ::SSL_get0_param(ssl);
    const bool isAddress = ::X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1;
    ::ERR_clear_error();
    ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    // An address is not named in SNI (RFC 6066, section 3).
    if (!isAddress && (::SSL_set1_host(ssl, host.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)) {
        return fail(ErrorCode::InvalidArgument, "The host's name cannot be used with TLS: " + takeOpenSslReason());
    }
    ::SSL_set_connect_state(ssl);
    end->shakeHands();
    return end;
}

std::string TlsClientEnd::faultOfHandshake() const {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    ::SSL_get0_alpn_selected(m_ssl.get(), &chosen, &size);
    const std::string_view name(reinterpret_cast<const char*>(chosen), size);
    if (size != 0 && name != "http/1.1") {
        return "the host answers in another protocol than http/1.1, which alone was offered";
    }
    const bool verified = ::SSL_get_verify_result(m_ssl.get()) == X509_V_OK && ::SSL_get0_peer_certificate(m_ssl.get()) != nullptr;
    return verified ? "" : "the host showed no certificate that could be verified";
}

std::string TlsClientEnd::explain(const std::string& reason) const {
    const long result = ::SSL_get_verify_result(m_ssl.get());
    if (result != X509_V_OK) {
        return std::string("the host's certificate is not to be trusted (") + ::X509_verify_cert_error_string(result) + ")";
    }
    return "TLS with the host failed (" + reason + ")";
}

} // namespace carrel::relay
