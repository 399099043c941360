// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects as values that free themselves, and its errors in words (openssl(7ssl), ERR_get_error(3ssl)).
// Thread: one per object, as OpenSSL says.
#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace carrel::relay {

template <auto Free> struct Freeing {
    template <class T> void operator()(T* object) const { Free(object); }
};
using BioPtr = std::unique_ptr<BIO, Freeing<&BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freeing<&EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freeing<&X509_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freeing<&SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Freeing<&SSL_free>>;

// Once before the first use of OpenSSL in a process, and before it is jailed: no configuration file is read (it could load
// code), and the random numbers are there. Further calls do nothing. Thread: any.
void prepareOpenSsl();

// The reason of the first error that OpenSSL noted, and forgets them all. Words of OpenSSL's own, nothing of a peer's.
[[nodiscard]] std::string takeOpenSslReason();

} // namespace carrel::relay
