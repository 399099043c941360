// SPDX-License-Identifier: Apache-2.0
// The words of the Agent Client Protocol, version 1 (agentclientprotocol.com, schema/v1): methods, reasons, kinds. What a newer peer says
// beyond them is kept as it is by whoever reads it. Thread: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace carrel::acp {

inline constexpr std::int64_t kVersion = 1;

namespace method {
// To the agent.
inline constexpr std::string_view kInitialize = "initialize";
inline constexpr std::string_view kAuthenticate = "authenticate";
inline constexpr std::string_view kNew = "session/new";
inline constexpr std::string_view kLoad = "session/load";
inline constexpr std::string_view kSetMode = "session/set_mode";
inline constexpr std::string_view kPrompt = "session/prompt";
inline constexpr std::string_view kCancel = "session/cancel"; // a notification
// To the client.
inline constexpr std::string_view kUpdate = "session/update"; // a notification
inline constexpr std::string_view kPermission = "session/request_permission";
inline constexpr std::string_view kReadFile = "fs/read_text_file";
inline constexpr std::string_view kWriteFile = "fs/write_text_file";
inline constexpr std::string_view kTerminalCreate = "terminal/create";
inline constexpr std::string_view kTerminalOutput = "terminal/output";
inline constexpr std::string_view kTerminalWait = "terminal/wait_for_exit";
inline constexpr std::string_view kTerminalKill = "terminal/kill";
inline constexpr std::string_view kTerminalRelease = "terminal/release";
// To both.
inline constexpr std::string_view kCancelRequest = "$/cancel_request"; // a notification
} // namespace method

// What "sessionUpdate" says.
namespace update {
inline constexpr std::string_view kUserChunk = "user_message_chunk";
inline constexpr std::string_view kAgentChunk = "agent_message_chunk";
inline constexpr std::string_view kThoughtChunk = "agent_thought_chunk";
inline constexpr std::string_view kToolCall = "tool_call";
inline constexpr std::string_view kToolCallUpdate = "tool_call_update";
inline constexpr std::string_view kPlan = "plan";
inline constexpr std::string_view kUsage = "usage_update";
inline constexpr std::string_view kMode = "current_mode_update";
} // namespace update

enum class StopReason { EndTurn, MaxTokens, MaxTurnRequests, Refusal, Cancelled };
enum class ToolKind { Read, Edit, Delete, Move, Search, Execute, Think, Fetch, SwitchMode, Other };
enum class ToolStatus { Pending, InProgress, Completed, Failed };
enum class Priority { High, Medium, Low };
enum class PlanStatus { Pending, InProgress, Completed };
enum class OptionKind { AllowOnce, AllowAlways, RejectOnce, RejectAlways };

[[nodiscard]] std::string_view toString(StopReason reason);
[[nodiscard]] std::string_view toString(ToolKind kind);
[[nodiscard]] std::string_view toString(ToolStatus status);
[[nodiscard]] std::string_view toString(Priority priority);
[[nodiscard]] std::string_view toString(PlanStatus status);
[[nodiscard]] std::string_view toString(OptionKind kind);
// Nothing: a word that is not known here. Of the six above.
template <class T> [[nodiscard]] std::optional<T> fromWord(std::string_view word);
template <> std::optional<StopReason> fromWord<StopReason>(std::string_view word);
template <> std::optional<ToolKind> fromWord<ToolKind>(std::string_view word);
template <> std::optional<ToolStatus> fromWord<ToolStatus>(std::string_view word);
template <> std::optional<Priority> fromWord<Priority>(std::string_view word);
template <> std::optional<PlanStatus> fromWord<PlanStatus>(std::string_view word);
template <> std::optional<OptionKind> fromWord<OptionKind>(std::string_view word);

} // namespace carrel::acp
