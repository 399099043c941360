// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 messages (jsonrpc.org/specification), one per text, read strictly: no batches, ids are
// unsigned numbers, "params" is always an object. Used on the control channel, on the engine's local socket
// and between engine and clerk. Thread: values.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace carrel {

inline constexpr std::size_t kMaxMethodBytes = 64;

struct RpcRequest { // a notification has no id
    std::optional<std::uint64_t> id;
    std::string method;
    boost::json::object params;
};
struct RpcResponse {
    std::uint64_t id = 0;
    Result<boost::json::value> result;
};
using RpcMessage = std::variant<RpcRequest, RpcResponse>;

[[nodiscard]] Result<RpcMessage> parseRpc(std::string_view text, JsonLimits limits = {});
[[nodiscard]] std::string toText(const RpcRequest& request);
[[nodiscard]] std::string toText(const RpcResponse& response);

// An Error travels as {"code": -32000 - ErrorCode, "message": …, "data": {"kind": "conflict", "hint": …,
// "errno": …}}. A received one is bounded: message and hint at most 2,000 bytes each; an unknown kind becomes
// Internal.
[[nodiscard]] boost::json::object toJson(const Error& error);
[[nodiscard]] Error errorFrom(const boost::json::object& object);

} // namespace carrel
