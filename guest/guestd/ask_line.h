// SPDX-License-Identifier: Apache-2.0
// One line that a program of the agent's sends to guestd's socket: a JSON-RPC request of one of the questions, as in
// guest/protocol/ask.h, but that a share goes by its name, since programs know no other; or of the two that guestd answers by
// itself: guest/protocol/net_refusals.h, and packages.look {} → {}, answered when what apt has fetched was looked at (package_desk.h). Whoever sends it is hostile.
// Thread: pure functions.
#pragma once

#include "guest/protocol/ask.h"
#include "guest/protocol/net_refusals.h"

#include <functional>

namespace carrel::guestd {

// Longer than any question; the answer is as bounded.
inline constexpr std::size_t kMaxAskLine = 128 * 1024;

using ShareIds = std::function<std::optional<std::uint32_t>(std::string_view name)>;

struct PackagesWanted {};
using Asked = std::variant<ask::Question, net::RefusalsWanted, PackagesWanted>;

struct AskLine {
    std::uint64_t id = 0; // the program's own
    Result<Asked> asked;  // NotFound: no such share
};
// None: it is no request at all, so there is nobody to answer.
[[nodiscard]] std::optional<AskLine> askLineFrom(std::string_view text, const ShareIds& shareIds);

} // namespace carrel::guestd
