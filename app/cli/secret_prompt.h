// SPDX-License-Identifier: Apache-2.0
// A secret from a person or from standard input, never from the arguments or the environment, where other programs could read it. It
// stands in memory that is wiped, and goes to the engine through a socket of its own (secret.open). Thread: main.
#pragma once

#include "app/api/secret_bytes.h"
#include "app/cli/context.h"

namespace carrel::cli {

class TypedSecret {
public:
    static constexpr std::size_t kMost = 8 * 1024; // more than the engine takes, so that it says what is wrong
    TypedSecret() = default;

    // At a terminal asks on it, without echo; otherwise all of standard input. Cancelled: by Ctrl-C, or nothing was given.
    [[nodiscard]] Status read(const std::string& question);
    [[nodiscard]] bool isSameAs(const TypedSecret& other) const { return m_bytes.isSameAs(other.m_bytes); }
    // To the engine; the number to name it by.
    [[nodiscard]] Result<std::uint64_t> hand(Context& context) const;
    [[nodiscard]] static bool isAsked(); // there is a terminal

private:
    [[nodiscard]] Status readLine(int terminal, const std::string& question);
    [[nodiscard]] Status readAll();

    api::NoCore m_noCore;
    api::SecretBytes m_bytes{kMost};
};

} // namespace carrel::cli
