// SPDX-License-Identifier: Apache-2.0
// A conversation with a model in one neutral form, whichever interface the model is spoken with by (model_codec.h), and what arrives of a
// turn while it is written. Thread: values.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace carrel::agent {

struct Text {
    std::string text;
};

// The model wants a tool to be run.
struct ToolUse {
    std::string id;   // fits [A-Za-z0-9_-]{1,64}; one conversation holds it once (Conversation sees to it)
    std::string name; // fits the same, also where there is no such tool
    boost::json::object input;
    std::string problem; // why what the model wrote could not be read as a JSON object: `input` is empty then. Else empty
};

struct ToolResult {
    std::string id; // of the ToolUse
    std::string text;
    bool isError = false; // the fact on the wire of both interfaces
};

// A part that means something to one interface alone and has to go back to it as it came: a model's sealed thoughts.
struct Sealed {
    std::string api; // ModelCodec::name()
    boost::json::object block;
};

using Part = std::variant<Text, ToolUse, ToolResult, Sealed>;

enum class Role { User, Assistant };

struct Message {
    Role role = Role::User;
    std::vector<Part> parts; // a user's: Text and ToolResult; the model's: Text, ToolUse and Sealed
};

struct ToolSpec {
    std::string name; // [A-Za-z0-9_-]{1,64}
    std::string description;
    boost::json::object schema; // JSON Schema of its input, of the type "object"
};

// Tokens of one turn. What was read is `input + cacheRead + cacheWrite`.
struct Usage {
    std::uint64_t input = 0; // read anew
    std::uint64_t cacheRead = 0;
    std::uint64_t cacheWrite = 0;
    std::uint64_t output = 0;

    [[nodiscard]] std::uint64_t window() const { return input + cacheRead + cacheWrite + output; }
    bool operator==(const Usage&) const = default;
};

enum class StopReason {
    EndOfTurn,
    ToolUse,
    MaxTokens,  // the bound of the request
    WindowFull, // the model's own
    Refusal,    // it will not, or a filter stopped it
    Other,      // a word that is not known here
};

struct TurnRequest {
    std::string model;
    std::string system; // may be empty
    std::span<const Message> messages;
    std::span<const ToolSpec> tools;
    std::uint64_t maxTokens = 0; // of the answer
};

// What arrives of a turn, in its order. `place` names one tool call among those of the turn.
struct TextDelta {
    std::string text;
};
struct ThoughtDelta { // shown, and not part of the conversation
    std::string text;
};
struct ToolBegun {
    std::size_t place = 0;
    std::string id; // may be empty
    std::string name;
};
struct ToolInput {
    std::size_t place = 0;
    std::string json; // the next piece of the text
};
struct ToolEnded {
    std::size_t place = 0;
};
struct UsageSeen { // of the whole turn so far
    Usage usage;
};
struct Stopped {
    StopReason reason = StopReason::EndOfTurn;
};
using Delta = std::variant<TextDelta, ThoughtDelta, ToolBegun, ToolInput, ToolEnded, Sealed, UsageSeen, Stopped>;

// A turn that the model has ended.
struct ModelTurn {
    Message message{Role::Assistant, {}};
    Usage usage;
    StopReason stop = StopReason::Other;
};

} // namespace carrel::agent
