// SPDX-License-Identifier: Apache-2.0
// The engine's own log, one line a message, for a person to read: messages may hold names and words of a guest, so each passes
// DisplayText (invariant I11). Thread: once, before any other.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace carrel::engine {

// The local time, the level, the message.
[[nodiscard]] std::unique_ptr<spdlog::formatter> lineForPeople();
void logToStandardError();

} // namespace carrel::engine
