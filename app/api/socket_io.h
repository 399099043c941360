// SPDX-License-Identifier: Apache-2.0
// Input and output on a local stream socket. Private to app/api. Thread: none of it keeps state.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <sys/types.h>
#include <sys/un.h>

namespace carrel::api {

[[nodiscard]] Result<sockaddr_un> addressOf(const std::filesystem::path& socket);
enum class Blocking { Yes, No };

// Unavailable: nobody listens there (no engine). Refused: another user's process does. LimitExceeded, where it is not to block:
// so many wait to be let in that there is no room now.
[[nodiscard]] Result<UniqueFd> connectTo(const std::filesystem::path& socket, Blocking blocking);
// Everything, or an error; `descriptor` (-1: none) travels with the first byte.
[[nodiscard]] Status sendAll(int socket, std::string_view bytes, int descriptor = -1);
// 0: the peer ended. A descriptor that came along replaces `*descriptor`; with null ones are dropped.
[[nodiscard]] Result<std::size_t> receiveSome(int socket, char* into, std::size_t size, UniqueFd* descriptor);
// Refused unless the process that connected, or listens, has that user id (SO_PEERCRED, unix(7)).
[[nodiscard]] Status checkPeerIs(int socket, uid_t user);

} // namespace carrel::api
