// SPDX-License-Identifier: Apache-2.0
// The caller's side of a session that exec.open gave (wire.h, guest/protocol/control.h): its streams, what is said on the one for
// control, and what is heard there, read strictly. The command line and the terminal use it alike. Thread: pure functions.
#pragma once

#include "app/api/wire.h"
#include "guest/protocol/control.h"
#include "guest/protocol/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace carrel::api {

inline constexpr std::uint32_t kExecFirst = kExecSession * control::kSessionStreams;
inline constexpr std::uint32_t kExecControl = kExecFirst + control::kSessionControl;
inline constexpr std::uint32_t kExecStdin = kExecFirst + control::kSessionStdin;
inline constexpr std::uint32_t kExecStdout = kExecFirst + control::kSessionStdout;
inline constexpr std::uint32_t kExecStderr = kExecFirst + control::kSessionStderr;
inline constexpr std::size_t kMaxExecWord = 16 * 1024;

struct ExecStarted {};
struct ExecExited {
    int code = 0; // 0 to 255
};
struct ExecSignalled {
    int number = 0; // 0 to 127
};
// An Error is the guest's word: it could not start the command, or keep it. Its texts are a guest's.
using ExecWord = std::variant<ExecStarted, ExecExited, ExecSignalled, Error>;

// Malformed: it has no such form.
[[nodiscard]] Result<ExecWord> execWord(std::string_view text);

[[nodiscard]] std::string execSignal(int number);
[[nodiscard]] std::string execResize(std::uint16_t rows, std::uint16_t columns);

} // namespace carrel::api
