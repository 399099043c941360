// SPDX-License-Identifier: Apache-2.0
// The messages of JSON-RPC 2.0 (jsonrpc.org/specification) as the Agent Client Protocol uses them, one a line: an id is a number or a
// text, "params" is an object, there are no batches. Beside guest/protocol/rpc.h, which is what Carrel's own two ends say to each other:
// here the other side may be anybody's program, so fields that are not known are passed over, and errors are what it says they are.
// Thread: values.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/strict_json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace carrel::acp {

inline constexpr std::size_t kMostMethod = 128; // bytes
inline constexpr std::size_t kMostTextId = 256;

using Id = std::variant<std::int64_t, std::string>;

// An error as it travels. The protocol's own codes; others may come, and mean what their message says.
enum class Code : std::int64_t {
    Unparsable = -32700,
    InvalidRequest = -32600,
    NoSuchMethod = -32601,
    InvalidParams = -32602,
    Internal = -32603,
    AuthenticationRequired = -32000,
    NotFound = -32002,
    Cancelled = -32800,
};
struct Problem {
    std::int64_t code = static_cast<std::int64_t>(Code::Internal);
    std::string message; // of a received one: the other side's words, at most kMostProblem bytes
    boost::json::value data; // null: none
    bool isEnd = false;      // nobody said so: the conversation ended before there was an answer
};
inline constexpr std::size_t kMostProblem = 8 * 1024;
using Outcome = tl::expected<boost::json::value, Problem>;

struct Request {
    Id id;
    std::string method;
    boost::json::object params;
};
struct Notification {
    std::string method;
    boost::json::object params;
};
struct Answer {
    Id id;
    Outcome outcome;
};
using Message = std::variant<Request, Notification, Answer>;

// What could not be read.
struct Unreadable {
    Error why; // Malformed or LimitExceeded
    // What the other side is to be told: nothing where it does not wait for an answer. Never to what looks like an answer itself, so that
    // two sides which do not understand each other do not go on about it for ever.
    std::optional<Code> told;
    std::optional<Id> id; // of what could not be read, if that could
};
// An answer that could not be read but for its id is an Answer with a Problem: somebody waits for it.
[[nodiscard]] tl::expected<Message, Unreadable> readMessage(std::string_view line, JsonLimits limits);
// Without the newline at its end; none is within.
[[nodiscard]] std::string lineOf(const Message& message);
// What the other side is told, with the id null where there is none.
[[nodiscard]] std::string lineOf(Code told, const std::optional<Id>& id, const Error& why);

// An error of ours on its way: its message, and data {"code": the ErrorCode's name, "hint": what to do}.
[[nodiscard]] Problem problemOf(const Error& error, Code code = Code::Internal);
// And one of theirs for our own use: the hint of its data, where there is one; the code by its name there, else by the number.
[[nodiscard]] Error errorOf(const Problem& problem);

} // namespace carrel::acp
