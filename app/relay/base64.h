// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, sections 4 and 5) of secrets: all memory is wiped. Thread: pure functions.
#pragma once

#include "app/relay/secret_text.h"

#include <optional>

namespace carrel::relay {

enum class Alphabet { Standard, Url };
[[nodiscard]] SecretText toBase64(std::string_view bytes, Alphabet alphabet = Alphabet::Standard);
// What stands for `bytes` within the base64 of something longer, of which `offset` (0 to 2) bytes more than a multiple of three come
// before: the characters that depend on nothing else.
[[nodiscard]] SecretText base64Core(std::string_view bytes, std::size_t offset, Alphabet alphabet = Alphabet::Standard);
// Padding may be missing; nothing else may.
[[nodiscard]] std::optional<SecretText> fromBase64(std::string_view text);

} // namespace carrel::relay
