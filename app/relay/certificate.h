// SPDX-License-Identifier: Apache-2.0
// What an authority's certificate and a host's have in common, when they are made. Thread: pure functions.
#pragma once

#include "app/relay/authority.h"
#include "app/relay/openssl.h"

namespace carrel::relay {

// Of the third version, with a random serial number of 159 bits, that key, and this life. Null where OpenSSL fails.
[[nodiscard]] CertificatePtr newCertificate(EVP_PKEY* key, WallTime from, WallTime to);
// An extension as in x509v3_config(5ssl); `value` is a constant of ours, never made of anybody's text.
[[nodiscard]] bool addExtension(X509* certificate, X509* issuer, int kind, const char* value);
[[nodiscard]] KeyPtr newKey();

// For OpenSSL to read, as long as the text lives.
[[nodiscard]] BioPtr readingFrom(std::string_view text);
// In the place of pem_password_cb(3ssl)'s own: for what is encrypted nobody is asked anything, at no terminal.
int noPassphrase(char* into, int size, int writing, void* unused);

} // namespace carrel::relay
