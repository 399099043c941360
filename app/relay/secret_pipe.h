// SPDX-License-Identifier: Apache-2.0
// How secrets go from the engine to a clerk: in a pipe, beside the message that they belong to, whose text is copied on its way and
// never holds one (invariant I6). Each is ended by a NUL, which none has. Thread: pure functions.
#pragma once

#include "app/relay/secret_text.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <span>

namespace carrel::relay {

inline constexpr std::size_t kMaxPipedSecrets = 48 * 1024; // in one pipe, which the kernel takes without a reader

// Its end to read from. Malformed: one has a NUL. LimitExceeded: more than kMaxPipedSecrets.
[[nodiscard]] Result<UniqueFd> pipeOf(std::span<const std::string_view> secrets);
// Exactly so many. Malformed otherwise, and where it is no pipe, or its other end is still open with less in it.
[[nodiscard]] Result<std::vector<SecretText>> secretsFrom(const UniqueFd& pipe, std::size_t count);

} // namespace carrel::relay
