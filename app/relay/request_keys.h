// SPDX-License-Identifier: Apache-2.0
// Who a request says it comes from: the placeholders of credentials in its header fields, and a program's own keys. A host that a
// credential is bound to gets no other one, so that an attacker's key opens nothing at an allowed host.
// Thread: values and pure functions.
#pragma once

#include "app/relay/http_head.h"
#include "app/relay/secret_text.h"

namespace carrel::relay {

inline constexpr std::size_t kMinPlaceholder = 16; // shorter ones are not looked for

struct Placeholder {
    std::string name; // of the credential
    std::string text;
};

// Plain, or within the user and password of Basic (RFC 7617).
[[nodiscard]] bool holdsPlaceholder(std::string_view value, std::string_view placeholder);
[[nodiscard]] std::vector<std::string> placeholdersIn(const Fields& fields, const std::vector<Placeholder>& known);

// Authorization, x-api-key and their like, Cookie.
[[nodiscard]] bool isOfIdentity(std::string_view field);
// A field that programs write a host's key into: of identity, but no cookie and nothing for a proxy. Which one a program chooses depends
// on its version (x-api-key, then Authorization: Bearer), so the placeholder is looked for in all of them; the host gets the credential's.
[[nodiscard]] bool mayHoldKey(std::string_view field);
// Names in lower case, each once, of fields that hold a key of the program's own: of identity, without a placeholder. No cookies: those
// are a bound host's own, and are stripped.
[[nodiscard]] std::vector<std::string> ownKeysIn(const Fields& fields, const std::vector<Placeholder>& known, std::string_view boundField = {});

// What in that header value must not come back: the value itself, what follows its scheme, the user and password of Basic.
[[nodiscard]] std::vector<SecretText> secretsIn(std::string_view value);

} // namespace carrel::relay
