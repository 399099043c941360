// SPDX-License-Identifier: Apache-2.0
#include "app/relay/certificate.h"

#include "guest/protocol/plain_text.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <array>
#include <cstdio>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxAgentName = 40; // an X.520 common name has 64 characters

tl::unexpected<Error> failed(const char* what) {
    return fail(ErrorCode::Internal, std::string(what) + ": " + takeOpenSslReason());
}

std::string_view memoryOf(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, size > 0 ? static_cast<std::size_t>(size) : 0};
}

} // namespace

KeyPtr newKey() {
    return KeyPtr(EVP_EC_gen("P-256"));
}

BioPtr readingFrom(std::string_view text) {
    return BioPtr(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int noPassphrase(char* /*into*/, int /*size*/, int /*writing*/, void* /*unused*/) {
    return -1;
}

CertificatePtr newCertificate(EVP_PKEY* key, WallTime from, WallTime to) {
    using Number = std::unique_ptr<BIGNUM, Freeing<&BN_free>>;
    CertificatePtr made(::X509_new());
    const Number serial(::BN_new());
    const auto seconds = [](WallTime time) { return std::chrono::system_clock::to_time_t(time); };
    const bool good = made && serial && ::X509_set_version(made.get(), X509_VERSION_3) == 1 &&
                      ::BN_rand(serial.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                      ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(made.get())) != nullptr &&
                      ::ASN1_TIME_set(::X509_getm_notBefore(made.get()), seconds(from)) != nullptr &&
                      ::ASN1_TIME_set(::X509_getm_notAfter(made.get()), seconds(to)) != nullptr &&
                      ::X509_set_pubkey(made.get(), key) == 1;
    return good ? std::move(made) : nullptr;
}

bool addExtension(X509* certificate, X509* issuer, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    ::X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Freeing<&X509_EXTENSION_free>> extension(::X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

Result<Authority> makeAuthority(std::string_view agent, WallTime now) {
    prepareOpenSsl();
    const auto key = newKey();
    if (!key) {
        return failed("A key for the agent's certificates could not be made");
    }
    const auto certificate = newCertificate(key.get(), now - kBackdated, now + kAuthorityLife);
    if (!certificate) {
        return failed("The agent's certificate authority could not be made");
    }
    const std::string common = "Carrel agent " + plainText(agent, kMaxAgentName);
    auto* name = ::X509_get_subject_name(certificate.get());
    const auto add = [&](const char* field, std::string_view value) {
        return ::X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                            static_cast<int>(value.size()), -1, 0) == 1;
    };
    auto* self = certificate.get();
    if (!add("O", "Carrel") || !add("CN", common) || ::X509_set_issuer_name(self, name) != 1 ||
        !addExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !addExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !addExtension(self, self, NID_subject_key_identifier, "hash") || ::X509_sign(self, key.get(), EVP_sha256()) == 0) {
        return failed("The agent's certificate authority could not be made");
    }
    const BioPtr text(::BIO_new(::BIO_s_mem()));
    const BioPtr secret(::BIO_new(::BIO_s_secmem())); // wiped when it is freed
    if (!text || !secret || ::PEM_write_bio_X509(text.get(), self) != 1 ||
        ::PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return failed("The agent's certificate authority could not be written");
    }
    return Authority{std::string(memoryOf(text.get())), secretText(memoryOf(secret.get()))};
}

Result<std::string> nameHashOf(std::string_view certificatePem) {
    prepareOpenSsl();
    ::ERR_clear_error();
    const auto text = readingFrom(certificatePem);
    const CertificatePtr certificate(::PEM_read_bio_X509(text.get(), nullptr, &noPassphrase, nullptr));
    if (!certificate) {
        return fail(ErrorCode::Malformed, "The agent's certificate cannot be read: " + takeOpenSslReason());
    }
    int done = 0;
    const auto hash = ::X509_NAME_hash_ex(::X509_get_subject_name(certificate.get()), nullptr, nullptr, &done);
    if (::X509_check_ca(certificate.get()) != 1 || done != 1) {
        ::ERR_clear_error();
        return fail(ErrorCode::Malformed, "The agent's certificate is not that of an authority");
    }
    std::array<char, 9> digits{};
    (void)std::snprintf(digits.data(), digits.size(), "%08lx", hash);
    return std::string(digits.data());
}

} // namespace carrel::relay
