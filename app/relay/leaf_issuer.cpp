// SPDX-License-Identifier: Apache-2.0
#include "app/relay/leaf_issuer.h"

#include "app/relay/certificate.h"

#include <openssl/pem.h>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxHost = 253;

// Built of the parts: a text would have to be escaped.
bool nameHost(X509* certificate, const std::string& host) {
    using Names = std::unique_ptr<GENERAL_NAMES, Freeing<&GENERAL_NAMES_free>>;
    std::unique_ptr<GENERAL_NAME, Freeing<&GENERAL_NAME_free>> name(::GENERAL_NAME_new());
    const Names names(::GENERAL_NAMES_new());
    if (!name || !names) {
        return false;
    }
    if (auto* address = ::a2i_IPADDRESS(host.c_str())) {
        ::GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    } else {
        auto* text = ::ASN1_IA5STRING_new();
        if (text == nullptr || ::ASN1_STRING_set(text, host.data(), static_cast<int>(host.size())) != 1) {
            ::ASN1_IA5STRING_free(text);
            return false;
        }
        ::GENERAL_NAME_set0_value(name.get(), GEN_DNS, text);
    }
    if (sk_GENERAL_NAME_push(names.get(), name.get()) <= 0) {
        return false;
    }
    (void)name.release(); // it is the list's now
    constexpr int kCritical = 1; // as RFC 5280 wants where the subject is empty
    return ::X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), kCritical, X509V3_ADD_DEFAULT) == 1;
}

} // namespace

LeafIssuer::LeafIssuer(CertificatePtr certificate, KeyPtr key, WallTime to)
    : m_certificate(std::move(certificate))
    , m_key(std::move(key))
    , m_to(to) {}

Result<LeafIssuer> LeafIssuer::create(std::string_view certificatePem, std::string_view keyPem) {
    prepareOpenSsl();
    ::ERR_clear_error();
    const auto certificateText = readingFrom(certificatePem);
    const auto keyText = readingFrom(keyPem);
    CertificatePtr certificate(::PEM_read_bio_X509(certificateText.get(), nullptr, &noPassphrase, nullptr));
    KeyPtr key(::PEM_read_bio_PrivateKey(keyText.get(), nullptr, &noPassphrase, nullptr));
    if (!certificate || !key) {
        return fail(ErrorCode::Malformed, "The agent's certificate authority cannot be read: " + takeOpenSslReason());
    }
    std::tm ends{};
    if (::X509_check_ca(certificate.get()) != 1 || ::X509_check_private_key(certificate.get(), key.get()) != 1 ||
        ::ASN1_TIME_to_tm(::X509_get0_notAfter(certificate.get()), &ends) != 1) {
        ::ERR_clear_error();
        return fail(ErrorCode::Malformed, "The agent's certificate authority is none, or its key belongs to another one");
    }
    return LeafIssuer(std::move(certificate), std::move(key), std::chrono::system_clock::from_time_t(::timegm(&ends)));
}

Result<std::shared_ptr<const Leaf>> LeafIssuer::leafFor(const std::string& host, WallTime now) {
    if (host.empty() || host.size() > kMaxHost) {
        return fail(ErrorCode::InvalidArgument, "A certificate is for a host's name of 1 to 253 characters");
    }
    if (const auto found = m_byHost.find(host); found != m_byHost.end()) {
        const auto kept = found->second;
        // None can outlive the authority: then a new one would be no better.
        if (now >= kept->leaf->from && (now < kept->leaf->to - kRenewedBefore || kept->leaf->to == m_to)) {
            m_order.splice(m_order.begin(), m_order, kept);
            return kept->leaf;
        }
        m_order.erase(kept);
        m_byHost.erase(found);
    }
    auto leaf = issue(host, now);
    if (!leaf) {
        return leaf;
    }
    m_order.push_front({host, *leaf});
    m_byHost[host] = m_order.begin();
    if (m_order.size() > kMaxLeaves) {
        m_byHost.erase(m_order.back().host);
        m_order.pop_back();
    }
    return leaf;
}

Result<std::shared_ptr<const Leaf>> LeafIssuer::issue(const std::string& host, WallTime now) const {
    ::ERR_clear_error();
    auto leaf = std::make_shared<Leaf>();
    leaf->from = now - kBackdated;
    leaf->to = std::min(now + kLeafLife, m_to);
    leaf->key = newKey();
    leaf->certificate = leaf->key ? newCertificate(leaf->key.get(), leaf->from, leaf->to) : nullptr;
    auto* made = leaf->certificate.get();
    if (made == nullptr || ::X509_set_issuer_name(made, ::X509_get_subject_name(m_certificate.get())) != 1 || !nameHost(made, host) ||
        !addExtension(made, m_certificate.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !addExtension(made, m_certificate.get(), NID_key_usage, "critical,digitalSignature") ||
        !addExtension(made, m_certificate.get(), NID_ext_key_usage, "serverAuth") ||
        !addExtension(made, m_certificate.get(), NID_subject_key_identifier, "hash") ||
        !addExtension(made, m_certificate.get(), NID_authority_key_identifier, "keyid:always") ||
        ::X509_sign(made, m_key.get(), EVP_sha256()) == 0) {
        return fail(ErrorCode::Internal, "A certificate for the host could not be made: " + takeOpenSslReason());
    }
    return std::shared_ptr<const Leaf>(std::move(leaf));
}

} // namespace carrel::relay
