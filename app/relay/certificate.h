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

} // namespace carrel::relay
