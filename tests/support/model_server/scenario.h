// SPDX-License-Identifier: Apache-2.0
// What a ModelServer (model_server.h) plays: a list of turns in their order, as data. A scenario is one JSON object, read strictly
// (an unknown or missing field is an error that says where):
//
//   { "key":    "a-key",            the only key that opens it; at least one character. Absent: it wants none, as servers on an own
//                                   computer do, and takes any
//     "models": ["played-1"],       what it offers; a request for another is refused as the API refuses it
//     "same_role_twice": "refuse",  (or "join") two messages of one role in a row, towards Anthropic Messages only: that API joins
//                                   them today and refused them once; a client that wants to run everywhere alternates
//     "turns":  [TURN, …],          each is played once, by the next request that is good
//     "asides": [TURN, …] }         optional: asked before the turns, and played as often as their "expect" (needed here) fits, or
//                                   never: what a foreign client asks by the way, a title for its window say
//
// TURN:   { "expect": EXPECT, "hold": "NAME", "repeat": 3, and one of "answer": ANSWER, "fault": FAULT, "refused": 401 }
//         "hold": nothing is sent, not even the head of the response, until ModelServer::release(NAME). For ever: nobody releases.
//         "repeat": played by so many requests; not of an aside. "refused": the next request must be one that the server refuses
//         with this status because of what the client sent (no "expect", no "hold"). A request that is refused without being expected, or that does not fit
//         the turn whose turn it is, fails the scenario; it is answered with 400, and the turn stays where it was.
//
// EXPECT: every field is optional, and all that are there must fit:
//         { "api": "anthropic" | "openai", "model": "NAME", "stream": true,
//           "system":  "part of the system prompt",
//           "user":    "part of the text of the last user message that has text",
//           "history": ["part of any text of the conversation, arguments and results of tools included", …],
//           "tools":   ["offered, beside others maybe", …],
//           "tool_results": [{ "tool": "NAME", "text": "part of it", "error": false }, …] }   of the calls made last
//         "error" is what Anthropic's is_error says; OpenAI has no word for it, there it is not asked.
//
// ANSWER: { "content": [PART, …], "stop": "end" | "tools" | "length" | "refusal", "usage": USAGE, "cut_after": 120 }
//         "content": may be empty: a turn in which the model says nothing. "stop": by default "tools" where a tool is called, else
//         "end". "cut_after": after so many bytes of the body (of its chunks' content) the connection ends, in the middle of the
//         transfer.
// USAGE:  { "input": 100, "output": 10, "cache_read": 0, "cache_write": 0 }   tokens; these are the defaults. "input" does not
//         count what the cache had, as with Anthropic; OpenAI's prompt_tokens are the sum of the three.
// PART:   { "text": PIECES }                                  one text; each piece is one event of the stream
//         { "tool": "NAME", "arguments": ARGUMENTS, "id": "ID" }   one call; several are parallel calls. "id": made if absent
//         { "hold": "NAME" }                                  nothing more until ModelServer::release(NAME)
//         and of a streamed response only:
//         { "comment": "TEXT" }                               a line that a client must skip (": TEXT")
//         { "data": "ONE LINE", "event": "NAME" }             an event as it stands: malformed JSON, an unknown type. Without
//                                                             "event" only a data line, as OpenAI has it
//         { "error": { "type": "overloaded_error", "message": "Overloaded" } }   an error event, after which the stream ends
//         { "endless": "TEXT" }                               the same piece of text until the client leaves. It must be the last
// PIECES: "TEXT" or a list of "TEXT" and { "hold": "NAME" }
// ARGUMENTS: a JSON object, sent in one piece; or PIECES, sent as they are: malformed, too, which only a stream can say to
//         Anthropic
//
// FAULT:  { "status": 429, "message": "…", "code": "…", "retry_after": "2", "body": "…" }   400 … 599 in the error shape of the
//         API, with words of its own if "message" is absent. "code": OpenAI's. "body": this instead, as text/html, with any status
//         from 200 (what a proxy in the middle says; a body that is no JSON).
//
// Ownership: values. Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace carrel::test::model {

enum class Api { Anthropic, OpenAi };

struct ExpectedResult {
    std::string tool, text;
    std::optional<bool> error;
};
struct Expectation {
    std::optional<Api> api;
    std::optional<bool> stream;
    std::optional<std::string> model, system, user;
    std::vector<std::string> history, tools;
    std::vector<ExpectedResult> toolResults;
};

struct Piece {
    std::string text; // or a hold's name
    bool hold = false;
};
struct TextPart {
    std::vector<Piece> pieces;
};
struct ToolPart {
    std::string tool, id;
    std::vector<Piece> arguments;
};
struct HoldPart {
    std::string name;
};
struct CommentPart {
    std::string text;
};
struct EventPart {
    std::string name, data; // an empty name: none
};
struct ErrorPart {
    std::string type, message;
};
struct EndlessPart {
    std::string text;
};
using Part = std::variant<TextPart, ToolPart, HoldPart, CommentPart, EventPart, ErrorPart, EndlessPart>;

enum class Stop { End, Tools, Length, Refusal };

struct Tokens {
    std::uint64_t input = 100, output = 10, cacheRead = 0, cacheWrite = 0;
};
struct Answer {
    std::vector<Part> content;
    Stop stop = Stop::End;
    Tokens usage;
    std::optional<std::size_t> cutAfter; // bytes
};
struct Fault {
    int status = 500;
    std::optional<std::string> message, code, retryAfter, body;
};
struct ExpectedRefusal {
    int status = 400;
};
struct Turn {
    Expectation expect;
    std::optional<std::string> hold;
    std::uint64_t repeat = 1;
    std::variant<Answer, Fault, ExpectedRefusal> what;
};

enum class SameRoleTwice { Refuse, Join };

struct Scenario {
    std::string key; // empty: none is wanted
    std::vector<std::string> models;
    SameRoleTwice sameRoleTwice = SameRoleTwice::Refuse;
    std::vector<Turn> turns, asides;
};

// Malformed: what does not fit, and where, e.g. "turns[2].answer.content[0] …".
[[nodiscard]] Result<Scenario> parseScenario(std::string_view json);

} // namespace carrel::test::model
