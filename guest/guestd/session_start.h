// SPDX-License-Identifier: Apache-2.0
// What the host may say on a session's control stream, read strictly (guest/protocol/control.h). Thread: pure
// functions.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace carrel::guestd {

struct TerminalSize {
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};

struct StartSession {
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment; // added to the base
    std::optional<std::string> cwd;
    struct Tty {
        TerminalSize size;
        std::string term;
    };
    std::optional<Tty> tty;
};
struct SignalSession {
    int number = 0; // Linux numbering, 1 … 64
};
struct ResizeSession {
    TerminalSize size;
};
using SessionRequest = std::variant<StartSession, SignalSession, ResizeSession>;

[[nodiscard]] Result<SessionRequest> parseSessionRequest(std::string_view text);

} // namespace carrel::guestd
