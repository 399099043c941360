// SPDX-License-Identifier: Apache-2.0
// The engine's interface on its local socket: JSON-RPC 2.0 (guest/protocol/rpc.h), one text per line, verbs
// and their fields as in schema/<verb>.json. A connection carries one request at a time; a caller that no
// longer wants the answer closes it. Before the response a verb may send the notifications "progress" and
// "event" (schema/common.json). The response of exec.open carries one descriptor with its first byte
// (SCM_RIGHTS, unix(7)).
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::api {

inline constexpr std::uint64_t kApiVersion = 1;

// Bounds of one line. A request is small, but argv may be 128 KiB and grow when it is escaped. An answer is
// bounded by pages (kPageBytes, before escaping); the limit leaves room for the worst escaping, six-fold.
inline constexpr std::size_t kMaxRequestLine = 2 * 1024 * 1024;
inline constexpr std::size_t kMaxResponseLine = 16 * 1024 * 1024;
inline constexpr std::size_t kPageBytes = 1024 * 1024;
inline constexpr std::size_t kPageEntries = 1000;
inline constexpr std::size_t kMaxDepth = 16;

// Two people's worth of terminals and a desktop; each costs a thread of the engine.
inline constexpr std::size_t kMaxConnections = 128;

// The tag of the epoch on the descriptor of exec.open (Mux::beginLocal), and its session's number.
inline constexpr std::uint32_t kExecTag = 0x6c726143;
inline constexpr std::uint32_t kExecSession = 1;

// What a connection may ask for: roles.h. The owner is whoever reaches the owner's socket, a client whoever
// presents a token on the clients' (auth.h).
enum class Role { Owner, Client };

} // namespace carrel::api
