// SPDX-License-Identifier: Apache-2.0
#include "app/relay/openssl.h"

#include <openssl/rand.h>

namespace carrel::relay {

void prepareOpenSsl() {
    static const bool prepared = [] {
        ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
        unsigned char byte = 0;
        return ::RAND_bytes(&byte, 1) == 1;
    }();
    (void)prepared; // where there are none, whatever needs them says so
}

std::string takeOpenSslReason() {
    const char* reason = ::ERR_reason_error_string(::ERR_get_error());
    ::ERR_clear_error();
    return reason != nullptr ? reason : "no reason was given";
}

} // namespace carrel::relay
