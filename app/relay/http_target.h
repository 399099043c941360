// SPDX-License-Identifier: Apache-2.0
// A request's target (RFC 9112, section 3.2; RFC 3986) in the one spelling that is decided about and sent: what a rule allowed must be
// what the far end reads. Thread: pure functions.
#pragma once

#include "app/relay/http_words.h"

namespace carrel::relay {

enum class Scheme { Http, Https };
[[nodiscard]] std::uint16_t defaultPort(Scheme scheme);

// Whom a connection is for.
struct Origin {
    Scheme scheme = Scheme::Https;
    std::string host; // a name in lower case, or an address as text
    std::uint16_t port = 443;

    // As in a Host field: the port where it is not the scheme's own, an address of version 6 in brackets.
    [[nodiscard]] std::string text() const;
    // The same host and port; the scheme's own port may be written or not.
    [[nodiscard]] bool isNamedBy(std::string_view given) const;
};

struct Target {
    std::string path;  // normalised; "*" of OPTIONS
    std::string query; // with its '?', as it came; may be empty
};

// Origin-form, "*" for OPTIONS, or absolute-form of that very origin. Normalised: unreserved characters decoded, hex digits in upper
// case, steps of one dot left out. Refused: dot segments, also those that a server may find after it has decoded or cut more ("..%2f", "..;x"), encoded
// control characters, backslashes in the path, fragments, what is not ASCII.
[[nodiscard]] HttpResult<Target> readTarget(std::string_view text, std::string_view method, const Origin& origin);

} // namespace carrel::relay
