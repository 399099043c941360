// SPDX-License-Identifier: Apache-2.0
// What a TLS connection that is passed through says of itself before it is encrypted: its ClientHello (RFC 8446, section
// 4.1.2; RFC 6066, section 3). Read to check one thing: that the host it names (SNI) is the one that was allowed. So an
// allowed name on an address that many share opens no way to another name there. Strict where servers are lenient, for
// what is read differently here and there would be such a way.
// Thread: pure functions.
#pragma once

#include "guest/protocol/bytes.h"

#include <string>
#include <string_view>

namespace carrel::clerk {

inline constexpr std::size_t kMaxHello = 16 * 1024; // with its records' heads; the largest that browsers send has a tenth

enum class Look { More, Good, Bad };

struct HelloLook {
    Look look = Look::More;
    std::size_t bytes = 0; // Good: so many belong to it
    std::string why;       // Bad: a sentence, nothing of the guest's in it
};

// `host`: a name in lower case. Bad: no ClientHello, or one without a name, with another, with an encrypted one inside
// (encrypted_client_hello, or its forerunner), or longer than kMaxHello.
[[nodiscard]] HelloLook lookAtHello(ByteSpan bytes, std::string_view host);

// Whether these first bytes of a server ask for a second ClientHello (HelloRetryRequest, RFC 8446, section 4.1.3), which
// has to be looked at as the first was. Good: yes; Bad: no.
[[nodiscard]] Look looksLikeRetry(ByteSpan serverBytes);

// Bytes of a whole change_cipher_spec record at the front, which may precede the second ClientHello; 0: none. More: not
// all of it is there.
struct SpecRecord {
    Look look = Look::Bad;
    std::size_t bytes = 0;
};
[[nodiscard]] SpecRecord changeCipherSpec(ByteSpan bytes);

} // namespace carrel::clerk
