// SPDX-License-Identifier: Apache-2.0
// How a client begins: {"jsonrpc":"2.0","id":N,"method":"auth","params":{"token":…}}, the first line on the
// client's socket (home.h). Nothing else is read before it, and no more than kMaxAuthLine bytes of it. Whoever
// is on that socket is a client from then on and for good: it has no way to the owner's verbs, token or not.
//
// On the owner's socket `auth` ends the connection: a program that means to be a client must not go on with
// the owner's rights because it took the wrong path.
// Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/rpc.h"

#include <chrono>
#include <string>
#include <string_view>

namespace carrel::api {

inline constexpr std::string_view kAuthVerb = "auth";
// A token: this, and 64 lower-case hexadecimal digits (256 random bits). The beginning is for people and
// programs that look for secrets in places where none should be.
inline constexpr std::string_view kTokenPrefix = "carrel_client_";
inline constexpr std::size_t kTokenBytes = kTokenPrefix.size() + 64;

inline constexpr std::size_t kMaxAuthLine = 512;
// Connections of all clients together, beside the owner's; of one token; and those that have not said yet who
// they are, so that they cannot take the place of those that have.
inline constexpr std::size_t kMaxClientConnections = 64;
inline constexpr std::size_t kMaxConnectionsPerToken = 16;
inline constexpr std::size_t kMaxUnknownConnections = 8;
// How long one has for its first line, and how long a wrong token waits for its answer. With the bound above
// that is eight guesses a second, of 2^256.
inline constexpr std::chrono::milliseconds kAuthPatience{10'000};
inline constexpr std::chrono::milliseconds kWrongTokenPause{1'000};

[[nodiscard]] bool isTokenForm(std::string_view text);
// The token in the first request. Refused: it is no `auth`. Malformed: `auth` in a wrong form. The message
// never holds the token.
[[nodiscard]] Result<std::string> tokenFrom(const RpcRequest& request);

} // namespace carrel::api
