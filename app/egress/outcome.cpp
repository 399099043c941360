// SPDX-License-Identifier: Apache-2.0
#include "app/egress/outcome.h"

#include <array>

namespace carrel::egress {

std::string_view toString(NetMode mode) {
    static constexpr std::array<std::string_view, 3> kNames{"offline", "ask", "allowlist"};
    return kNames.at(static_cast<std::size_t>(mode));
}

Result<NetMode> netModeFrom(std::string_view text) {
    for (const auto mode : {NetMode::Offline, NetMode::Ask, NetMode::Allowlist}) {
        if (toString(mode) == text) {
            return mode;
        }
    }
    return fail(ErrorCode::InvalidArgument, "there is no such way to the network", "Use offline, ask or allowlist");
}

std::string_view toString(Treat treat) {
    static constexpr std::array<std::string_view, 4> kNames{"raw", "tls", "http", "terminate"};
    return kNames.at(static_cast<std::size_t>(treat));
}

} // namespace carrel::egress
