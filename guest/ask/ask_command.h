// SPDX-License-Identifier: Apache-2.0
// The words that carrel-ask was started with. Thread: pure functions.
#pragma once

#include "guest/protocol/net_wire.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::ask {

struct Command {
    enum class Verb { Help, Apply, Folder, Forward, Wait, Withdraw, Why, Packages };
    enum class Then { Wait, ComeBack };
    Verb verb = Verb::Help;
    std::vector<std::string> paths; // Apply, as they were given
    std::uint16_t port = 0;         // Forward
    std::string reason;             // Apply, Folder, Forward: one that the host takes
    std::optional<std::uint64_t> id;
    std::optional<net::Host> host; // Why: of the connections to it
    std::optional<std::chrono::seconds> waits; // none: until it is answered
    Then then = Then::Wait;
};

[[nodiscard]] std::string_view helpText();
// InvalidArgument: what is wrong, for a person.
[[nodiscard]] Result<Command> commandFrom(const std::vector<std::string>& words);
// "90", "90s", "5m", "2h", "1d".
[[nodiscard]] std::optional<std::chrono::seconds> durationFrom(std::string_view text);

} // namespace carrel::ask
