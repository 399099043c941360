// SPDX-License-Identifier: Apache-2.0
// What both sides of the Agent Client Protocol say about a session, as values: written by one side, read by the other. Readers pass over
// what they do not know and bound what they keep; each returns Malformed with what is wrong, or LimitExceeded. Thread: pure functions.
#pragma once

#include "guest/acp/words.h"
#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <string>
#include <variant>
#include <vector>

namespace carrel::acp {

inline constexpr std::size_t kMostSessionId = 256; // bytes
inline constexpr std::size_t kMostShortText = 4096; // names, paths, addresses
inline constexpr std::size_t kMostBlocks = 1024;
inline constexpr std::size_t kMostOptions = 32;
inline constexpr std::size_t kMostModes = 64;

// ---- initialize
struct Implementation {
    std::string name;
    std::string title; // may be empty
    std::string version;
};
struct InitializeParams { // client to agent
    std::int64_t version = kVersion;
    bool readTextFile = false;
    bool writeTextFile = false;
    bool terminal = false;
    Implementation client; // may be empty
};
struct AuthMethod {
    std::string id;
    std::string name;
    std::string description; // may be empty
};
struct InitializeResult { // agent to client
    std::int64_t version = kVersion;
    bool loadSession = false;
    bool image = false;
    bool audio = false;
    bool embeddedContext = false;
    Implementation agent; // may be empty
    std::vector<AuthMethod> authMethods;
};
[[nodiscard]] boost::json::object toJson(const InitializeParams& params);
[[nodiscard]] Result<InitializeParams> initializeParamsFrom(const boost::json::object& json);
[[nodiscard]] boost::json::object toJson(const InitializeResult& result);
[[nodiscard]] Result<InitializeResult> initializeResultFrom(const boost::json::value& json);

// ---- session/new and session/load. No server of tools (MCP) is passed on by Carrel's client.
struct SessionPlace {
    std::string sessionId; // empty: session/new
    std::string cwd;       // absolute
};
struct Mode {
    std::string id;
    std::string name;
    std::string description; // may be empty
};
struct SessionState {
    std::string sessionId; // empty in the answer of session/load
    std::string mode;      // empty: the agent has none
    std::vector<Mode> modes;
};
[[nodiscard]] boost::json::object toJson(const SessionPlace& place);
// `servers`: how many servers of tools were asked for, if it is not null.
[[nodiscard]] Result<SessionPlace> sessionPlaceFrom(const boost::json::object& json, std::size_t* servers = nullptr);
[[nodiscard]] boost::json::object toJson(const SessionState& state);
// null, as some agents answer session/load, is a state without anything.
[[nodiscard]] Result<SessionState> sessionStateFrom(const boost::json::value& json);

// ---- session/prompt
struct TextBlock {
    std::string text;
};
struct LinkBlock { // resource_link
    std::string uri;
    std::string name;
    std::string mimeType; // may be empty
    std::optional<std::uint64_t> size; // bytes
};
struct ResourceBlock { // an embedded text
    std::string uri;
    std::string mimeType; // may be empty
    std::string text;
};
struct OtherBlock { // an image, a sound, bytes, or what is not known here
    std::string type;
};
using Block = std::variant<TextBlock, LinkBlock, ResourceBlock, OtherBlock>;
struct Prompt {
    std::string sessionId;
    std::vector<Block> blocks;
};
[[nodiscard]] boost::json::object toJson(const Block& block); // an OtherBlock: its type alone
[[nodiscard]] Result<Block> blockFrom(const boost::json::value& json);
[[nodiscard]] boost::json::object toJson(const Prompt& prompt);
[[nodiscard]] Result<Prompt> promptFrom(const boost::json::object& json);
[[nodiscard]] boost::json::object promptResult(StopReason reason);
// A word that is not known is Malformed.
[[nodiscard]] Result<StopReason> stopReasonFrom(const boost::json::value& json);

// ---- session/update
struct Update {
    std::string sessionId;
    std::string kind; // "sessionUpdate", one of update:: or not
    boost::json::object update; // whole, as it came
};
[[nodiscard]] boost::json::object toJson(Update update);
[[nodiscard]] Result<Update> updateFrom(boost::json::object json);

// ---- session/request_permission
struct PermissionOption {
    std::string id;
    std::string name;
    std::optional<OptionKind> kind; // nothing: a word that is not known here
};
struct Permission {
    std::string sessionId;
    boost::json::object toolCall; // as in tool_call_update
    std::vector<PermissionOption> options; // at least one
};
[[nodiscard]] boost::json::object toJson(const Permission& permission);
[[nodiscard]] Result<Permission> permissionFrom(const boost::json::object& json);
// The chosen option's id; nothing: the prompt was cancelled.
[[nodiscard]] boost::json::object permissionResult(const std::optional<std::string>& option);
[[nodiscard]] Result<std::optional<std::string>> permissionOutcomeFrom(const boost::json::value& json);

// ---- "_meta", where Carrel's agent and Carrel's client say more to each other than the protocol has words for: {"carrel": {KEY: …}}.
// A question of the model's to the user travels as a request for permission whose toolCall has kMetaQuestion: true; its options are the
// choices, and the answer may have kMetaText: what the user says instead of choosing.
inline constexpr std::string_view kMetaQuestion = "question";
inline constexpr std::string_view kMetaText = "text";
// Beside an update: the tokens of the turn that ended with it, {"input", "cacheRead", "cacheWrite", "output"}; in the answer to
// session/prompt: of all its turns.
inline constexpr std::string_view kMetaUsage = "usage";
// Beside an update: what was shown of this turn is void, and it is tried again: {"waitMs", "why"}.
inline constexpr std::string_view kMetaRetry = "retry";
// In the answer to session/prompt: why it stopped, {"message", "hint"}, where it is not the end of the turn.
inline constexpr std::string_view kMetaWhy = "why";
void putMeta(boost::json::object& into, std::string_view key, boost::json::value value);
// null: it is not there.
[[nodiscard]] const boost::json::value* metaOf(const boost::json::object& from, std::string_view key);

// ---- session/cancel, session/set_mode
[[nodiscard]] boost::json::object cancelParams(std::string_view sessionId);
[[nodiscard]] boost::json::object modeParams(std::string_view sessionId, std::string_view mode);

} // namespace carrel::acp
