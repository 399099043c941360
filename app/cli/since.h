// SPDX-License-Identifier: Apache-2.0
// The T of `--since`: 90s, 10m, 2h, 3d ago; or a date, with or without a time; local, or UTC with Z.
// Thread: pure but for the local time zone.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace carrel::cli {

// Milliseconds since 1970 UTC, never negative.
[[nodiscard]] Result<std::int64_t> sinceFrom(const std::string& text, std::int64_t nowMs);
// Only a date.
[[nodiscard]] std::optional<std::int64_t> momentFrom(const std::string& text);

} // namespace carrel::cli
