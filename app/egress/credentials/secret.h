// SPDX-License-Identifier: Apache-2.0
// The value of a credential, or a passphrase, in memory: overwritten when it is given back (OPENSSL_cleanse(3ssl)), and by its type
// without a way into a log, an error or a JSON text (invariant I6). reveal() is the one way out, and each place that calls it is
// listed in a test (TestSecret), so that a new one is somebody's decision.
// Ownership: moved, never copied but by clone(). Thread: values.
#pragma once

#include "app/relay/authority.h"
#include "guest/protocol/result.h"

#include <string_view>

namespace carrel::egress {

// A shorter one stands in other text by chance, so that it could not be kept out of what a host answers.
inline constexpr std::size_t kMinSecretBytes = 8;
inline constexpr std::size_t kMaxSecretBytes = 4096;

class Secret {
public:
    // One line end at the end is left out: a file, and a line that was typed, has one. InvalidArgument: it is none that can stand in
    // a header field (RFC 9110, section 5.5), or shorter or longer than a secret may be; nothing of it is in the error.
    [[nodiscard]] static Result<Secret> ofCredential(relay::SecretText text);
    // Any bytes but none: a passphrase is typed in whatever alphabet.
    [[nodiscard]] static Result<Secret> ofPassphrase(relay::SecretText text);

    Secret(Secret&&) noexcept = default;
    Secret& operator=(Secret&&) noexcept = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() = default;

    [[nodiscard]] Secret clone() const { return Secret(m_text); }
    [[nodiscard]] std::size_t size() const { return m_text.size(); }
    // For a store, a placeholder's shape, or the header value that a clerk gets; for nothing else.
    [[nodiscard]] std::string_view reveal() const { return relay::view(m_text); }

private:
    explicit Secret(relay::SecretText text)
        : m_text(std::move(text)) {}
    relay::SecretText m_text;
};

} // namespace carrel::egress
