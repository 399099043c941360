// SPDX-License-Identifier: Apache-2.0
// What TLS is like in both directions. Thread: pure functions.
#pragma once

#include "app/relay/openssl.h"

namespace carrel::relay {

// From TLS 1.2 on; no renegotiation, no resumption, no compression. Null: OpenSSL failed.
[[nodiscard]] ContextPtr newTlsContext(const SSL_METHOD* method);

} // namespace carrel::relay
